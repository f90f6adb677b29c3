"""`python -m scripts.check_deploy`: exits with 1 and a line for each problem, where deploy/ has one."""

import sys

from scripts.check_deploy.check import check_all

problems, count = check_all()
for problem in problems:
    print(problem, file=sys.stderr)
print(f"deploy: {count} objects and services checked, {len(problems)} problems")
sys.exit(bool(problems))
