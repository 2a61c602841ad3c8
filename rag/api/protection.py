"""How a service is protected: by which keys, bounds and names."""

from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

from rag.errors import SettingsError
from rag.keys import KeyFile
from rag.settings import Settings

# Of one key, or of one address where there are none, a minute: more than a person ever needs.
DEFAULT_RATE: Final = 600
# Of one address, without a valid key, a minute.
_FAILURES: Final = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Protection:
    """Without `keys` everybody may do everything.

    `rate` and `failures` are requests a minute, of a key and without a valid one; 0 is no bound.
    `hosts` and `origins` are as in `Settings`.
    """

    keys: KeyFile | None
    rate: int
    failures: int
    hosts: tuple[str, ...]
    origins: tuple[str, ...]


OPEN: Final = Protection(keys=None, rate=0, failures=0, hosts=(), origins=())


def protect(settings: Settings, *, address: str | None) -> Protection:
    """Return how a service that listens on an IP address is protected; None is an unknown one.

    Keys are needed but where it listens on a loopback address and is known by no other name, unless
    the settings say otherwise. Raises SettingsError where they are and there is none, and
    DamagedKeys where they cannot be read.
    """
    local = address is not None and ip_address(address).is_loopback and not settings.hosts
    needed = settings.keys == "on" or (settings.keys is None and not local)
    keys = KeyFile(settings.home) if needed else None
    if keys is not None and not keys.any_valid():
        raise SettingsError(
            f"Requests need a key here and there is none in {settings.home}. Make one: rag keys "
            "create NAME. Or let everybody in who reaches the service: RAG_KEYS=off."
        )
    default = 0 if keys is None and local else DEFAULT_RATE
    rate = default if settings.rate is None else settings.rate
    return Protection(
        keys=keys,
        rate=rate,
        failures=_FAILURES if rate else 0,
        hosts=settings.hosts,
        origins=settings.origins,
    )
