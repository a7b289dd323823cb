"""What is made of settings that can change while the proxy runs."""

import attrs

from gemproxy.config.sections import Images, Repair, Server
from gemproxy.config.settings import Settings
from gemproxy.web.live import Learnt, live_of

BEFORE = Settings(server=Server(workers=2))


def test_what_has_learnt_something_outlives_a_change() -> None:
    learnt = Learnt.of(BEFORE)
    before = live_of(BEFORE, learnt)
    after = attrs.evolve(BEFORE, repair=Repair(retries_per_minute=3, max_resumes=7))

    learnt.adopt(after)
    live = live_of(after, learnt)

    assert live.repair.bodies is before.repair.bodies
    assert live.repair.lessons is before.repair.lessons
    assert live.repair.retries is before.repair.retries
    assert live.repair.retries.floor == 3
    assert (before.repair.budget.max_resumes, live.repair.budget.max_resumes) == (20, 7)


def test_the_gate_keeps_its_window_and_takes_the_share_of_the_new_limit() -> None:
    learnt = Learnt.of(BEFORE)
    with live_of(BEFORE, learnt).gate.entered(0.0):
        pass
    learnt.adopt(attrs.evolve(BEFORE, images=Images(rate_per_minute=9)))

    assert learnt.gate.most == 4
    assert learnt.gate._minute.total(0.0) == 1
