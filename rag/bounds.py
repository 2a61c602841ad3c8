"""The most that may be asked for, whatever the settings say."""

from typing import Final

MAX_QUESTION_CHARACTERS: Final = 2000
MAX_K: Final = 100
MAX_ANSWERS: Final = 20
MAX_BATCH: Final = 100
