"""Pictures and short films of some frames of a recording, as bytes of a file."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from io import BytesIO

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
Shot = tuple[float, Picture]

SIDE = 480  # longer side of the frame, pixels
RATE_HZ = 15.0  # frames a second of a film, at most


def still(shown: Sequence[Shot], span: tuple[float, float], *, kind: str = ".png") -> bytes:
    """The moment nearest to the middle of a span.

    Parameters
    ----------
    shown : sequence of (float, ndarray)
        Times in s and pictures, uint8 RGB.
    span : tuple of float
        Start and end, s.
    kind : str, optional
        .png, or .webp, which is smaller.

    Returns
    -------
    bytes
        Of a picture file.
    """
    import cv2

    middle = min(shown, key=lambda s: abs(s[0] - sum(span) / 2))[1]
    return cv2.imencode(kind, cv2.cvtColor(middle, cv2.COLOR_RGB2BGR))[1].tobytes()


def film(shown: Sequence[Shot]) -> bytes:
    """The moments with their own times, sides made even.

    Parameters
    ----------
    shown : sequence of (float, ndarray)
        Times in s and pictures, uint8 RGB, all of one size.

    Returns
    -------
    bytes
        Of an MPEG-4 file.
    """
    import av

    height, width = (n // 2 * 2 for n in shown[0][1].shape[:2])
    out = BytesIO()
    with av.open(out, "w", format="mp4") as file:
        stream = file.add_stream("libx264", rate=round(RATE_HZ))
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        for time, picture in shown:
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture[:height, :width]), format="rgb24")
            frame.pts, frame.time_base = round((time - shown[0][0]) * 1000), Fraction(1, 1000)
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    return out.getvalue()
