"""The first import of the process that the makers are copied from: a process group of its own, and nothing else.

Nobody else imports this. Whoever ends the command can end that process and all its copies at once then, also those that
are being made at that moment (`makers.stop`).
"""

import os

os.setpgid(0, 0)
