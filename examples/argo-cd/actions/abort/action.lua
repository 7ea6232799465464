-- End the attempt under way: ECS rolls it back, else the former revision is deployed. The annotation holds a token: each is acted on once.
-- os is not open by itself: it has to be required, and has only time and date.
local os = require("os")
if obj.metadata.annotations == nil then
  obj.metadata.annotations = {}
end
obj.metadata.annotations["ecs-release.dev/abort"] = "argo-cd-" .. os.date("!%Y-%m-%dT%H:%M:%SZ")
return obj
