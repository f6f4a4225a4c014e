"""One chest CT with its lobes, heart and findings."""

from __future__ import annotations

import numpy as np

from ..anatomy import Trunk, build_trunk, great_vessels
from ..patient import Patient, make_patient, stream
from ..solids import Solid, union
from .abdomen_organs import build_belly, fluid_level
from .chest_findings import CHEST_LASTING, CHEST_PREVALENCE, Burden, displaced, heart_of, place_chest, sample_burden
from .layers import AIR, BLOOD, Layer, paint
from .lesions import draw_presence, points_inside, volume_of
from .lobes import LOBES, lobe_layers
from .scanner import expose, make_grid, sample_position, sample_protocol
from .torso import bone_layers, torso_layers, vessel_layers
from .volume import NAMES, PhantomCT, check_lesion_scale, check_sampling


def make_chest(
    seed: int,
    patient: int,
    scan: int = 0,
    reconstruction: int = 0,
    size: int = 96,
    thickness: float = 5.0,
    lesion_scale: float = 1.0,
    mimics: bool = True,
) -> PhantomCT:
    """Make one reconstruction; the result depends on the arguments only.

    Args:
        seed: of the whole collection.
        patient: from 1; keeps the anatomy and the lasting findings.
        scan: from 0; another position, breath and passing findings.
        reconstruction: from 0; another kernel, thickness and noise of the same scan.
        size: rows and columns, at least 48.
        thickness: mm between slices, in (0, 10]; a reconstruction has 0.8, 1 or 1.25 times as much.
        lesion_scale: factor of the radii of nodules and calcifications and of their mimics, in [1, 2.5]: what coarse
            voxels would swallow. Everything else, and which findings are present, stays as it is.
        mimics: False shows no meaningless lesions: a finding is then told by its brightness, wherever it lies, and
            tied to no organ. Everything else stays as it is.

    Raises:
        ValueError: a size or thickness at which the findings would vanish, or a factor out of its range.
    """
    check_sampling(size, thickness)
    check_lesion_scale(lesion_scale)
    person = make_patient(seed, patient)
    present = draw_presence(CHEST_PREVALENCE, CHEST_LASTING, stream(seed, 31, patient), stream(seed, 32, patient, scan))
    lasting, passing = stream(seed, 33, patient), stream(seed, 34, patient, scan)
    burden, position = sample_burden(lasting, passing), sample_position(stream(seed, 35, patient, scan))
    form = displaced(person.form, burden, frozenset(CHEST_PREVALENCE) - present, position.breath)
    trunk = build_trunk(form, heart_of(form, burden, present))
    layers = _layers(person, trunk, burden, present, lasting, passing, lesion_scale, mimics)
    settings = stream(seed, 36, patient, scan, reconstruction)
    protocol = sample_protocol(settings, form, size, thickness)
    grid, origin = make_grid(protocol, position, form.level(1.08) + float(settings.uniform(0, 12)), form.apex - 18)
    hounsfield, labels = paint(layers, grid, NAMES)
    stored = expose(hounsfield, protocol, settings)
    findings = {name: name in present for name in CHEST_PREVALENCE}
    return PhantomCT(stored, labels, grid.spacing, origin, findings, {}, protocol)


def _layers(
    person: Patient,
    trunk: Trunk,
    burden: Burden,
    present: frozenset[str],
    lasting: np.random.Generator,
    passing: np.random.Generator,
    lesion_scale: float,
    mimics: bool,
) -> list[Layer]:
    placed = place_chest(trunk, burden, lasting, passing, lesion_scale)
    bystanders = place_chest(trunk, burden, passing, passing, lesion_scale)
    air = float(passing.normal(-845, 18))
    seen = present if not mimics else placed.keys()
    shown = [(name, item.real if name in present else item.mimic) for name, item in placed.items() if name in seen]
    # Meaningless lesions lie about beside real ones, too: one in a wrong place does not speak against a finding.
    shown += [(name, item.mimic) for name, item in bystanders.items() if passing.random() < 0.5 and mimics]
    calcium = [layer for name, layers in shown if "calcification" in name for layer in layers]
    others = [layer for name, layers in shown if "calcification" not in name for layer in layers]
    belly = build_belly(trunk)
    bubble = 0.0 if "Emphysema" in present else volume_of(placed["Emphysema"].real[0].solid, passing)
    return [
        *torso_layers(trunk),
        *lobe_layers(trunk, air, 0.45),
        Layer(union(*(tube.solid for tube in person.vessels)), BLOOD, within=LOBES),
        *(layer for layer in others if layer.within),
        Layer(trunk.heart, BLOOD, "heart"),
        *vessel_layers(great_vessels(trunk.form)),
        *(Layer(tube.solid, AIR, "trachea" if name == "trachea" else None) for name, tube in person.airways.items()),
        *(Layer(solid, _PLAIN.get(name, 40.0), name) for name, solid in belly.organs.items()),
        Layer(_stomach_gas(belly.organs["stomach"], bubble, passing), AIR),
        *(layer for layer in others if not layer.within),
        *bone_layers(person),
        *calcium,
    ]


_PLAIN = {"liver": 56.0, "spleen": 48.0, "kidney_left": 34.0, "kidney_right": 34.0, "gallbladder": 8.0, "stomach": 25.0}


def _stomach_gas(stomach: Solid, extra: float, rng: np.random.Generator) -> Solid:
    # At most nine tenths of the stomach; `extra` is in mm3.
    spots = points_inside(stomach, rng)
    share = min(float(rng.uniform(0.05, 0.3)) + extra / volume_of(stomach, rng), 0.9)
    return fluid_level(stomach, float(np.quantile(spots[:, 1], share)))
