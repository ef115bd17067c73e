"""Which requests go out with the caller's own OpenRouter key, and with it in place (PRODUCT §4 "BYOK")."""

from __future__ import annotations

from dataclasses import dataclass, replace

from writingmate.catalog.resolve import Catalog
from writingmate.errors import Sealed, StalePrincipal, Unavailable
from writingmate.telemetry import log
from writingmate.types import Model, Principal, Route
from writingmate.vault.credentials import Credentials

_SHUT = (
    "This server cannot open your OpenRouter key at the moment. Try again later, or set the key again; the "
    "operator's log says more, and so does `writingmate doctor`."
)


@dataclass(frozen=True, slots=True)
class OwnRoutes:
    """Finds the route of callers who brought a key; for others it does nothing and asks nobody."""

    catalog: Catalog
    credentials: Credentials

    async def route(self, principal: Principal, model: Model) -> Route | None:
        """The way to ``model`` by the caller's own key, as the ``api_key`` of the route's provider.

        None where the caller has no key, or OpenRouter does not serve the model.

        Raises:
            StalePrincipal: the key was removed since the principal was read.
            Unavailable: the key does not open, or the database is out of reach.
        """
        route = self.catalog.own_route(model.slug) if principal.byok else None
        if route is None:
            return None
        try:
            key = await self.credentials.own(principal.user_id, principal.revision)
        except Sealed as error:
            log.failure("vault_failed", error, user=principal.user_id)
            raise Unavailable(_SHUT) from error
        if key is None:
            raise StalePrincipal
        return replace(route, provider=replace(route.provider, api_key=key))
