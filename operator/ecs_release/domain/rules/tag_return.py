"""After an attempt of method EnvironmentTag has failed, the tag returns to where it was, if nobody has moved it on meanwhile."""

from __future__ import annotations

from ecs_release.api.release_status import Rollout
from ecs_release.domain.artifacts import environment_tag as tags
from ecs_release.domain.decision.decision import Changed, Draft, MoveTags, Outcome, RuleResult
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.decision.suspension import environment_suspension, spread
from ecs_release.domain.model.conditions import stalled


def owes_return(rollout: Rollout | None) -> bool:
    """Return whether an attempt may have moved the tag, has failed, and nothing has become of the tag since."""
    if rollout is None or rollout.outcome not in tags.RETURNS:
        return False
    return tags.may_have_moved(rollout)


def return_tags(facts: Facts, draft: Draft) -> RuleResult:
    """Take the tag back, once the attempt's end is written (law 6: intent before act)."""
    rollout, target = draft.rollout, facts.place.target
    if rollout is None or target is None or not tags.uses(target) or not owes_return(rollout):
        return None
    stands = stalled(rollout.outcome or "", rollout.message or "")
    if facts.status.rollout is None or facts.status.rollout.outcome != rollout.outcome:
        return Outcome(stands, again_s=0)
    if facts.tags.digests is None or environment_suspension(facts.place.environment, facts.now, spread(facts)) is not None:
        return None
    back = tags.return_moves(target, rollout, facts.tags.digests)
    if back:
        return Outcome(stands, MoveTags(back, back=True))
    ours = [i for i in rollout.images or () if i.tag_digest and not i.unlisted]
    returned = all(facts.tags.digests.get(i.container) == i.tag_digest for i in ours)
    what = (tags.RETURNED if ours else tags.KEPT) if returned else tags.TAKEN_OVER
    draft.rollout = rollout.model_copy(update={"environment_tag": what})
    return Changed(f"the environment's tag: {what}")
