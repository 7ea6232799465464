-- Health of a Release, ReleaseSet, Project or Environment of ecs-release.dev for Argo CD: one script, for all have the same conditions.
-- Each names its reason (docs/reference/conditions.md). The set of reasons is open: one that is not known here counts by its statuses.
-- Argo CD opens base, table and package only: there is no string, no math, no io here. It answers for objects that are being deleted itself.

-- Nothing goes wrong, and nothing goes on until somebody, or the clock, lets it.
local held = {
  Suspended = true,
  Observing = true,
  AwaitingWindow = true,
  AwaitingHook = true,
  AwaitingReleaseSet = true,
}

local function health(status, condition)
  local message = condition.reason or "Unknown"
  if condition.message ~= nil and condition.message ~= "" then
    message = message .. ": " .. condition.message
  end
  return { status = status, message = message }
end

local status = obj.status or {}
local generation = obj.metadata.generation
-- A new object has observedGeneration -1. What was said of an older spec says nothing of this one.
if status.observedGeneration == nil or status.observedGeneration ~= generation then
  return { status = "Progressing", message = "the operator has not looked at this generation yet: does it run?" }
end

local found = {}
for _, condition in ipairs(status.conditions or {}) do
  found[condition.type] = condition
end
local ready, reconciling, stalled = found.Ready, found.Reconciling, found.Stalled
if ready == nil then
  return { status = "Progressing", message = "there is no condition Ready yet" }
end

if stalled ~= nil and stalled.status == "True" then
  return health("Degraded", ready)
end
-- spec.suspend itself is not asked: what had begun is followed to its end, and the conditions say so.
if held[ready.reason] then
  return health("Suspended", ready)
end
if ready.reason == "ObservationFailed" then
  return health("Unknown", ready)
end
if reconciling ~= nil and reconciling.status == "True" then
  return health("Progressing", ready)
end
if ready.status == "True" then
  return health("Healthy", ready)
end
if ready.status == "False" then
  return health("Degraded", ready)
end
return health("Progressing", ready)
