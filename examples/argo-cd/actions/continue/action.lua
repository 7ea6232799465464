-- Have ECS go on at the lifecycle hook that waits. The annotation names the hook: where another one waits by then, the operator refuses it.
-- os is not open by itself: it has to be required, and has only time and date.
local os = require("os")
local rollout = (obj.status or {}).rollout or {}
local hooks = rollout.hooks or {}
if #hooks ~= 1 then
  return obj
end
if obj.metadata.annotations == nil then
  obj.metadata.annotations = {}
end
obj.metadata.annotations["ecs-release.dev/continue"] = "argo-cd-" .. os.date("!%Y-%m-%dT%H:%M:%SZ") .. "/" .. hooks[1].id .. "/CONTINUE"
return obj
