"""`python -m tests.kind` installs the chart in a kind cluster of its own and runs the e2e suite there.

Exit code 75 where it cannot run here (EX_TEMPFAIL of sysexits.h: try again elsewhere): no success, and neither the 1 of a failure nor the
77 that test harnesses take for a skip and go on. make ends with 2 then: whoever calls it, CI too, sees a failure and not a pass.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from tests.control_plane.cluster import KubectlError
from tests.control_plane.kind import KindCluster
from tests.kind import steps

NOT_RUN = 75


def main() -> int:
    """Run it all. Exit code 0 where the suite passed, 1 where it or a step failed, 75 where nothing was run."""
    missing = steps.lacking()
    if missing:
        print(f"test-kind: NOT RUN, nothing was tested: {'; '.join(missing)}", file=sys.stderr)
        return NOT_RUN
    try:
        with tempfile.TemporaryDirectory(prefix="test-kind-") as folder:
            return _run(Path(folder))
    except (RuntimeError, KubectlError, OSError, subprocess.SubprocessError) as error:
        print(f"test-kind: {error}", file=sys.stderr)
        return 1


def _run(folder: Path) -> int:
    steps.build_images()
    with KindCluster("kubectl", folder) as cluster:
        code = 1
        try:
            steps.install(cluster, cluster.name)
            code = steps.run_suite(cluster, folder)
        finally:
            if code:
                steps.show(cluster)
        return code


if __name__ == "__main__":
    sys.exit(main())
