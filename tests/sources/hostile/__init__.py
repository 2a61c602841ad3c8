"""Files made to do harm, generated: what a reader, a parser or a sentence rule might choke on.

`FILES` maps a name with a suffix to the function that makes the file's bytes. Each is small enough
to be sent to anybody, and the same with every call.
"""

from collections.abc import Callable

from tests.sources.hostile import markup, pdf, plain, word

FILES: dict[str, Callable[[], bytes]] = {
    **plain.FILES,
    **markup.FILES,
    **word.FILES,
    **pdf.FILES,
}
