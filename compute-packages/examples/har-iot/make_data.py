"""Makes the data of the example: python3 make_data.py FOLDER [CLIENTS [WINDOWS [SEED]]].

Windows of 64 samples at 32 Hz, in g, as an accelerometer on a hip would see them: gravity along a direction that depends on
posture, and a movement of an activity's pace, strength and harmonics. Every client wears its sensor a little differently and
does some activities more than others. The same seed gives the same windows.
"""

import os
import sys

import numpy as np

STEPS = 64
HERTZ = 32
# Gravity when the sensor sits straight; paces in Hz; strength per axis; share of the second harmonic.
ACTIVITIES = [
    ([0.0, 0.0, 1.0], (0.0, 0.0), [0.00, 0.00, 0.00], 0.0),  # standing
    ([0.8, 0.0, 0.6], (0.0, 0.0), [0.00, 0.00, 0.00], 0.0),  # sitting
    ([0.0, 0.0, 1.0], (1.6, 2.1), [0.15, 0.10, 0.30], 0.3),  # walking
    ([0.1, 0.0, 1.0], (2.4, 3.2), [0.50, 0.30, 1.00], 0.2),  # running
    ([0.2, 0.0, 1.0], (1.0, 1.5), [0.25, 0.12, 0.35], 0.7),  # stairs
    ([0.6, 0.0, 0.8], (1.0, 1.6), [0.20, 0.20, 0.08], 0.1),  # cycling
]


def rotation(random, degrees):
    """A turn about a random axis by about as many degrees."""
    axis = random.normal(size=3)
    x, y, z = axis / np.linalg.norm(axis)
    angle = np.radians(random.normal(0, degrees))
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def windows(random, labels, worn):
    """One window [STEPS, 3] per label."""
    time = np.arange(STEPS) / HERTZ
    made = np.empty((len(labels), STEPS, 3), np.float32)
    for row, label in enumerate(labels):
        gravity, (slow, fast), strength, second = ACTIVITIES[label]
        pace = 2 * np.pi * random.uniform(slow, fast)
        phases = random.uniform(0, 2 * np.pi, size=3)
        waves = np.sin(pace * time[:, None] + phases) + second * np.sin(2 * pace * time[:, None] + phases)
        movement = waves * np.array(strength) * random.uniform(0.7, 1.3)
        noise = random.normal(0, 0.03, size=(STEPS, 3))
        made[row] = (np.array(gravity) + movement) @ (worn @ rotation(random, 4)).T + noise
    return made


def client(random, count):
    worn = rotation(random, 8)
    shares = random.dirichlet(np.full(len(ACTIVITIES), 2.0))
    data = {}
    for part, size, mix in (("train", count, shares), ("test", count // 4, None)):
        labels = random.choice(len(ACTIVITIES), size=size, p=mix).astype(np.int64)
        data["x_" + part], data["y_" + part] = windows(random, labels, worn), labels
    return data


def main(folder, clients=3, count=600, seed=1):
    os.makedirs(folder, exist_ok=True)
    for number in range(1, clients + 1):
        random = np.random.default_rng([seed, number])
        np.savez_compressed(os.path.join(folder, f"client-{number}.npz"), **client(random, count))


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:5]))
