-- Which buttons a Release or ReleaseSet has: those that would do nothing now are grey.
local status = obj.status or {}
local ended = status.suspension ~= nil and status.suspension.state == "Ended"
local suspended = obj.spec.suspend == true and not ended
local current = status.observedGeneration ~= nil and status.observedGeneration == obj.metadata.generation

local found = {}
for _, condition in ipairs(status.conditions or {}) do
  found[condition.type] = condition.status
end
-- The attempt of a Release, the newest deployment set of a ReleaseSet: without outcome it is under way.
local attempt = status.rollout
if obj.kind == "ReleaseSet" then
  attempt = (status.history or {})[1]
end
local open = attempt ~= nil and (attempt.outcome == nil or attempt.outcome == "")
local holds = current and not open and found.Reconciling ~= "True" and found.Ready ~= "True"

-- What a ReleaseSet's child does is the set's to say: its buttons are there. A lifecycle hook is the child's own.
local child = false
for _, owner in ipairs(obj.metadata.ownerReferences or {}) do
  child = child or (owner.controller == true and owner.kind == "ReleaseSet")
end

-- Of several hooks that wait one has to be named: kubectl ecs-release continue.
local waits = open and #((status.rollout or {}).hooks or {}) == 1

return {
  suspend = { disabled = child or suspended, displayName = "Suspend", iconClass = "fa fa-fw fa-pause" },
  resume = { disabled = child or not suspended, displayName = "Resume", iconClass = "fa fa-fw fa-play" },
  retry = { disabled = child or not holds, displayName = "Retry", iconClass = "fa fa-fw fa-redo" },
  refresh = { disabled = child, displayName = "Resolve again", iconClass = "fa fa-fw fa-search" },
  abort = { disabled = child or not open, displayName = "Abort", iconClass = "fa fa-fw fa-stop" },
  ["continue"] = { disabled = not waits, displayName = "Continue", iconClass = "fa fa-fw fa-forward" },
}
