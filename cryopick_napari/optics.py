"""The microscope: electron wavelength, contrast transfer, exposure."""

from __future__ import annotations

import math

import numpy as np
import scipy.fft
from numpy.typing import NDArray

PLANCK = 6.62607015e-34  # J s
ELECTRON_MASS = 9.1093837015e-31  # kg
ELEMENTARY_CHARGE = 1.602176634e-19  # C
SPEED_OF_LIGHT = 299792458.0  # m/s


def wavelength(voltage: float) -> float:
    """Compute the relativistic wavelength of electrons.

    Parameters
    ----------
    voltage : float
        Acceleration voltage in kV.

    Returns
    -------
    float
        Wavelength in Å: ``h / sqrt(2 m e V (1 + e V / (2 m c^2)))`` (Reimer & Kohl,
        Transmission Electron Microscopy, 2008, eq. 2.5).
    """
    energy = ELEMENTARY_CHARGE * voltage * 1e3
    relativity = 1 + energy / (2 * ELECTRON_MASS * SPEED_OF_LIGHT**2)
    return 1e10 * PLANCK / math.sqrt(2 * ELECTRON_MASS * energy * relativity)


def contrast_transfer(
    frequency2: NDArray[np.float32],
    defocus: float | NDArray[np.float32],
    voltage: float = 300.0,
    aberration: float = 2.7,
    amplitude: float = 0.07,
    b_factor: float = 100.0,
) -> NDArray[np.float32]:
    """Compute the contrast transfer function and its envelope.

    ``sin(chi + asin(amplitude)) exp(-B k^2 / 4)`` with
    ``chi = pi lambda k^2 (defocus - Cs lambda^2 k^2 / 2)``
    (Mindell & Grigorieff 2003, doi:10.1016/S1047-8477(03)00069-8; Rohou & Grigorieff 2015,
    doi:10.1016/j.jsb.2015.08.008), with the sign that is positive at low frequencies.

    Parameters
    ----------
    frequency2 : array, any shape
        Squared spatial frequency in 1/Å².
    defocus : float or array, the shape of ``frequency2``
        Underfocus in µm; with astigmatism it differs by direction, see `underfocus`.
    voltage : float
        In kV.
    aberration : float
        Spherical aberration Cs in mm.
    amplitude : float
        Amplitude contrast as a fraction, 0 to 1.
    b_factor : float
        Decay of the envelope in Å².

    Returns
    -------
    array, the shape of ``frequency2``
    """
    length = wavelength(voltage)
    chi = frequency2 * (-math.pi / 2 * aberration * 1e7 * length**3)
    chi += math.pi * length * defocus * 1e4
    chi *= frequency2
    chi += math.asin(amplitude)
    transfer = np.sin(chi, out=chi)
    transfer *= np.exp(frequency2 * (-b_factor / 4))
    return np.asarray(transfer)


def underfocus(
    rows: NDArray[np.float32],
    columns: NDArray[np.float32],
    defocus: float,
    astigmatism: float,
    azimuth: float,
) -> NDArray[np.float32]:
    """Compute the underfocus in each direction of the spectrum, in µm.

    ``defocus + astigmatism / 2 * cos(2 (angle - azimuth))`` (Mindell & Grigorieff 2003).

    Parameters
    ----------
    rows, columns : arrays that broadcast together
        Spatial frequencies along each axis.
    defocus : float
        The mean of the largest and the least underfocus, in µm.
    astigmatism : float
        Their difference, in µm.
    azimuth : float
        Direction of the largest, in degrees, from the columns' axis towards the rows'.
    """
    angle = np.arctan2(rows, columns) - math.radians(azimuth)
    return np.asarray(defocus + astigmatism / 2 * np.cos(2 * angle), np.float32)


def filtered(
    image: NDArray[np.float32],
    spacing: float,
    defocus: float,
    voltage: float = 300.0,
    aberration: float = 2.7,
    amplitude: float = 0.07,
    b_factor: float = 100.0,
    astigmatism: float = 0.0,
    azimuth: float = 0.0,
) -> NDArray[np.float32]:
    """Convolve an image (h, w) with the point spread function; its edges wrap around.

    ``spacing`` is in Å/px; the others are those of `contrast_transfer` and `underfocus`.
    """
    spectrum = scipy.fft.rfft2(image)
    rows = scipy.fft.fftfreq(image.shape[0], spacing)[:, None].astype(np.float32)
    columns = scipy.fft.rfftfreq(image.shape[1], spacing)[None].astype(np.float32)
    focus = underfocus(rows, columns, defocus, astigmatism, azimuth) if astigmatism else defocus
    spectrum *= contrast_transfer(rows**2 + columns**2, focus, voltage, aberration, amplitude, b_factor)
    result: NDArray[np.float32] = scipy.fft.irfft2(spectrum, s=image.shape, overwrite_x=True)
    return result


def exposed(
    intensity: NDArray[np.float32], electrons: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Count electrons: a Poisson sample with a mean of ``intensity * electrons`` in each pixel.

    Infinitely many ``electrons`` (a noiseless detector) return the intensity itself.
    """
    if math.isinf(electrons):
        return intensity
    counts = np.empty_like(intensity)
    for row in range(0, len(intensity), 256):  # in bands: the sampler works in 64 bits
        band = slice(row, row + 256)
        counts[band] = rng.poisson(intensity[band] * electrons)
    return counts
