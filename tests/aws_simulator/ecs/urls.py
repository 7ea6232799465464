"""Where moto finds this service."""

from __future__ import annotations

from tests.aws_simulator.ecs.responses import SimulatedEcsResponse

url_bases = [r"https?://ecs\.(.+)\.amazonaws\.com"]
url_paths = {"{0}/$": SimulatedEcsResponse.dispatch}
