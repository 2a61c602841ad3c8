"""Dates as documents give them, reduced to a day or to nothing."""

import re
from datetime import date, datetime

from dateutil import parser

_ISO_DAY = re.compile(r"\s*(\d{4})-(\d{2})-(\d{2})(?!\d)")
_PDF_DAY = re.compile(r"\s*D:(\d{4})(\d{2})(\d{2})")
_LONGEST = 64  # characters; what is longer is prose
_DEFAULTS = (datetime(2000, 1, 1), datetime(2001, 2, 2))  # noqa: DTZ001 (only days are compared)


def iso_day(value: str) -> str | None:
    """Return the day that `value` names as YYYY-MM-DD, None where it does not name exactly one.

    Understands ISO 8601, the dates of PDF (D:YYYYMMDD...) and what dateutil reads. A value without
    a day ("May 2021"), and one that means two days depending on the country ("3/4/2021"), is None:
    no date is better than a wrong one.
    """
    if match := _ISO_DAY.match(value) or _PDF_DAY.match(value):
        year, month, day = map(int, match.groups())
        try:
            return date(year, month, day).isoformat()
        except ValueError:
            return None
    if not value.strip() or len(value) > _LONGEST:
        return None
    try:
        days = {
            parser.parse(value, dayfirst=day_first, default=default, ignoretz=True).date()
            for day_first in (False, True)
            for default in _DEFAULTS
        }
    except (ValueError, OverflowError):
        return None
    return days.pop().isoformat() if len(days) == 1 else None
