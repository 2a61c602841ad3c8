"""Which passages may answer a question: dense and lexical ranking, and their fusion."""
