"""What is extracted from a video: cheap signals for everyone, expensive ones where escalated."""

import os

# OpenMP threads that wait by spinning take the cores from the decoder and from OpenCV: on two
# busy cores one clip took 1.3 s instead of 0.2 s. Read once, when torch is first imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
