"""The wire: what `/v1` takes and gives.

Offsets are half-open, in code points of the document's text. Descriptions and bounds here are those
of the OpenAPI document, as are the docstrings. Nothing of the service is imported: clients use it.
"""

from rag.api.schemas.asking import (
    Abstention,
    Answer,
    AskRequest,
    AskResponse,
    BatchRequest,
    BatchResponse,
    BatchResult,
    Citation,
    DocumentRef,
    Done,
    Examples,
    Filters,
    Hits,
    Passage,
    SearchRequest,
    SearchResponse,
)
from rag.api.schemas.citations import (
    CitationToVerify,
    FeedbackRequest,
    FeedbackSpan,
    FeedbackStored,
    QuotedSpan,
    Verification,
    VerifyRequest,
    VerifyResponse,
)
from rag.api.schemas.collections import (
    Chunking,
    CollectionDeleted,
    CollectionList,
    CollectionRequest,
    CollectionSummary,
    Embedder,
    Index,
)
from rag.api.schemas.documents import (
    DocumentAdded,
    DocumentDetail,
    DocumentList,
    DocumentRequest,
    DocumentsAdded,
    DocumentSummary,
    PageOut,
    SectionOut,
)
from rag.api.schemas.jobs import (
    Job,
    JobList,
)
from rag.api.schemas.state import (
    Health,
    Problem,
)

__all__ = [
    "Abstention",
    "Answer",
    "AskRequest",
    "AskResponse",
    "BatchRequest",
    "BatchResponse",
    "BatchResult",
    "Chunking",
    "Citation",
    "CitationToVerify",
    "CollectionDeleted",
    "CollectionList",
    "CollectionRequest",
    "CollectionSummary",
    "DocumentAdded",
    "DocumentDetail",
    "DocumentList",
    "DocumentRef",
    "DocumentRequest",
    "DocumentSummary",
    "DocumentsAdded",
    "Done",
    "Embedder",
    "Examples",
    "FeedbackRequest",
    "FeedbackSpan",
    "FeedbackStored",
    "Filters",
    "Health",
    "Hits",
    "Index",
    "Job",
    "JobList",
    "PageOut",
    "Passage",
    "Problem",
    "QuotedSpan",
    "SearchRequest",
    "SearchResponse",
    "SectionOut",
    "Verification",
    "VerifyRequest",
    "VerifyResponse",
]
