#!/bin/sh
# Prints a Python that the project can use and that can make virtual environments; fails when there is none.
# The default python3 comes first: it is the one that its user expects.
# A name on the PATH may be a wrapper without a Python behind it, hence each candidate has to prove itself.
for python in ${PYTHON:-python3 python3.13 python3.12 python3.11}; do
    "$python" - 2>/dev/null <<'END' && exit 0
import ensurepip, sys, venv
if not (3, 11) <= sys.version_info < (3, 14):
    sys.exit(1)
print(sys.executable)
END
done
exit 1
