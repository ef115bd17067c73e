"""``writingmate`` that kills itself at the step of the ledger's writing that ``DIES_AT`` names."""

from __future__ import annotations

import os
from functools import partial

from tests.metering.child import dies_at
from writingmate import app
from writingmate.cli import main
from writingmate.metering.ledger import Ledger

if __name__ == "__main__":
    # The composition root makes the ledger; nothing of a gateway's own would let it die.
    vars(app)["Ledger"] = partial(Ledger, step=dies_at(os.environ["DIES_AT"], 0))
    main()
