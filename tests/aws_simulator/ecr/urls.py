"""Where moto finds this service."""

from __future__ import annotations

from tests.aws_simulator.ecr.responses import SimulatedEcrResponse

url_bases = [r"https?://ecr\.(.+)\.amazonaws\.com", r"https?://api\.ecr\.(.+)\.amazonaws\.com"]
url_paths = {"{0}/$": SimulatedEcrResponse.dispatch}
