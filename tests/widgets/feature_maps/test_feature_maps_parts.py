"""What *Look inside* is made of: the structure, the picture, the plane, the layers of maps."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image
from qtpy.QtCore import QPoint, Qt

import napari_anyir
from napari_anyir import Cancelled
from napari_anyir.inference.inside.network_parts import block_scales, shown_parts
from napari_anyir.model import VARIANTS, AnyIR, AnyIRConfig
from napari_anyir.model.config import PARTS as NETWORK_PARTS
from napari_anyir.weights import ModelCard
from napari_anyir.widgets.feature_maps import feature_maps_job
from napari_anyir.widgets.feature_maps.feature_maps_job import (
    ALL,
    MEAN,
    ONE,
    PCA,
    STRONGEST,
    FeatureMapsJob,
    groups_of,
    map_layers,
    update_layer,
)
from napari_anyir.widgets.layers.layer_origins import INSIDE
from napari_anyir.widgets.layers.shown_plane import read_shown_plane, volume_intensity
from napari_anyir.widgets.network.model_structure import (
    PARTS,
    Structure,
    StructureJob,
    structure_of,
)
from napari_anyir.widgets.network.ushape import UShape
from napari_anyir.widgets.network.ushape_layout import place_blocks

RNG = np.random.default_rng(0)


def structure(variant: str) -> Structure:
    found = structure_of(ModelCard(variant, Path("x"), config=VARIANTS[variant].to_dict()))
    assert found is not None
    return found


# ---------------------------------------------------------------- structure

SWITCHES = (
    {},
    {"gate": "none"},
    {"fusion": "none"},
    {"gate_fractions": (0.5, 0.5, 0.0)},
    {"gate_fractions": (0.0, 0.5, 0.5)},
    {"refinement": 0},
)


@pytest.mark.parametrize("switches", SWITCHES, ids=str)
def test_a_card_tells_what_the_network_says(switches) -> None:
    options = {"dim": 8, "blocks": (1, 2, 0, 1), "refinement": 2, "heads": (1, 1, 1, 1), **switches}
    config = AnyIRConfig(**options)
    network = AnyIR(config)
    found = structure_of(ModelCard("x", Path("x"), config=config.to_dict()))
    assert found is not None
    assert {block.name: block.scale for block in found.blocks} == block_scales(network)
    assert found.names == tuple(block_scales(network))
    widths = [b.fusion.project.in_channels for _, _, b in network.named_blocks()]
    assert [block.channels for block in found.blocks] == widths
    assert found.parts == shown_parts(config)


def test_without_a_card_the_checkpoint_is_asked() -> None:
    assert structure_of(ModelCard("x", Path("x"))) is None
    assert StructureJob("nano")(None, None) == structure("nano")
    assert tuple(PARTS) == NETWORK_PARTS


def test_few_patterns_name_many_blocks() -> None:
    tiny = structure("tiny")
    assert tiny.patterns(tiny.names) == ("*",)
    assert tiny.patterns([]) == ()
    some = ["latent.3", *tiny.stages()["decoder1"], "encoder1.2"]
    assert tiny.patterns(some) == ("encoder1.2", "latent.3", "decoder1.*")


# ---------------------------------------------------------------- the picture


@pytest.mark.parametrize("variant", ["nano", "tiny", "small"])
@pytest.mark.parametrize("width", [260, 300, 700])
def test_blocks_and_names_lie_inside_and_apart(variant: str, width: int) -> None:
    found = structure(variant)
    blocks, titles = place_blocks(found, width, 164)
    assert set(blocks) == set(found.names)
    boxes = [*blocks.values(), *titles.values()]
    for left, top, wide, high in boxes:
        assert left >= 0
        assert top >= 0
        assert left + wide <= width + 1e-6
        assert top + high <= 164
        assert wide >= 6
    for one in range(len(boxes)):
        for other in range(one):
            a, b = boxes[one], boxes[other]
            apart = (
                a[0] + a[2] <= b[0] + 1e-6
                or b[0] + b[2] <= a[0] + 1e-6
                or a[1] + a[3] <= b[1] + 1e-6
                or b[1] + b[3] <= a[1] + 1e-6
            )
            assert apart


@pytest.fixture
def ushape(qtbot) -> UShape:
    made = UShape()
    qtbot.addWidget(made)
    made.resize(300, 164)
    made.set_structure(structure("nano"))
    return made


def middle(ushape: UShape, name: str) -> QPoint:
    left, top, width, height = ushape.box(name)
    return QPoint(round(left + width / 2), round(top + height / 2))


def test_clicks_choose_and_leave(ushape: UShape, qtbot) -> None:
    left = Qt.MouseButton.LeftButton
    for name, chosen in (
        ("latent.1", ("latent.1",)),
        ("encoder1.0", ("encoder1.0", "latent.1")),
        ("latent.1", ("encoder1.0",)),
    ):
        with qtbot.waitSignal(ushape.changed):
            qtbot.mouseClick(ushape, left, pos=middle(ushape, name))
        assert ushape.chosen == chosen
    title = ushape._titles["decoder3"]
    qtbot.mouseClick(ushape, left, pos=QPoint(round(title[0] + 20), round(title[1] + 7)))
    assert ushape.chosen == ("encoder1.0", "decoder3.0", "decoder3.1")
    qtbot.mouseClick(ushape, left, pos=QPoint(1, 160))  # beside all
    assert len(ushape.chosen) == 3


def test_the_keyboard_reaches_every_block(ushape: UShape, qtbot) -> None:
    ushape.choose([])
    names = ushape.structure.names
    qtbot.keyClick(ushape, Qt.Key.Key_Home)
    for _ in names:
        qtbot.keyClick(ushape, Qt.Key.Key_Space)
        qtbot.keyClick(ushape, Qt.Key.Key_Right)
    qtbot.keyClick(ushape, Qt.Key.Key_Space)  # the last one again
    assert ushape.chosen == names[:-1]
    qtbot.keyClick(ushape, Qt.Key.Key_Escape)
    assert ushape.chosen == ()
    qtbot.keyClick(ushape, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    assert ushape.chosen == names
    qtbot.keyClick(ushape, Qt.Key.Key_Home)
    for expected in ("encoder2", "encoder3", "latent", "latent"):
        qtbot.keyClick(ushape, Qt.Key.Key_Down)
        assert ushape._current.startswith(expected)
    qtbot.keyClick(ushape, Qt.Key.Key_Up)
    assert ushape.structure.names.index(ushape._current) >= 0
    assert "latent" not in ushape._current
    assert "Chosen: encoder1.0" in ushape.accessibleDescription()


def test_one_block_is_always_chosen_where_one_is_asked_for(qtbot) -> None:
    single = UShape(single=True)
    qtbot.addWidget(single)
    single.resize(300, 164)
    single.set_structure(structure("nano"))
    assert single.chosen == ("refinement.1",)
    qtbot.mouseClick(single, Qt.MouseButton.LeftButton, pos=middle(single, "latent.0"))
    assert single.chosen == ("latent.0",)
    qtbot.keyClick(single, Qt.Key.Key_Escape)
    single.choose([])
    assert single.chosen == ("latent.0",)


def test_tips_say_what_is_under_the_mouse(ushape: UShape) -> None:
    point = middle(ushape, "latent.2")
    assert ushape.tip(point.x(), point.y()) == "latent.2: 192 channels at 1/16 of the size"
    ushape.choose(["latent.2"])
    assert ushape.tip(point.x(), point.y()).endswith(", chosen")
    title = ushape._titles["latent"]
    assert "all blocks of latent" in ushape.tip(title[0] + 3, title[1] + 3)
    assert ushape.tip(1, 160) == ""


def test_the_drawing_shows_what_is_chosen(ushape: UShape) -> None:
    ushape.choose([])
    before = ushape.grab().toImage()
    ushape.choose(["latent.0"])
    after = ushape.grab().toImage()
    ratio = after.width() / ushape.width()
    point = middle(ushape, "latent.0") + QPoint(0, 6)
    scaled = QPoint(round(point.x() * ratio), round(point.y() * ratio))
    assert before.pixelColor(scaled) != after.pixelColor(scaled)
    assert after.pixelColor(scaled).blue() > 200
    assert before != after


# ---------------------------------------------------------------- the plane


def placed_layer(viewer: ViewerModel, shape=(3, 21, 30)) -> Image:
    data = RNG.integers(0, 4000, shape).astype(np.uint16)
    return viewer.add_image(
        data,
        name="cells",
        scale=(3, 0.5, 0.25),
        translate=(10, 20, 30),
        rotate=20,
        shear=(0.1, 0.2, 0.3),
        affine=np.array([[1, 0, 0, 5], [0, 2, 0.3, 6], [0, 0, 1.5, 7], [0, 0, 0, 1]], float),
        units=("um", "um", "um"),
        axis_labels=("z", "y", "x"),
    )


@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1), (1, 0, 2), (2, 1, 0)])
def test_the_plane_is_the_shown_one_whatever_the_order(order) -> None:
    viewer = ViewerModel()
    layer = viewer.add_image(RNG.integers(0, 4000, (4, 5, 6)).astype(np.uint16))
    viewer.dims.order = order
    viewer.dims.set_point(order[0], 2)
    plane = read_shown_plane(layer, viewer.dims)
    index = [slice(None)] * 3
    index[order[0]] = 2
    expected = layer.data[tuple(index)]
    expected = expected.T if order[1] > order[2] else expected
    np.testing.assert_array_equal(plane.pixels(), expected)
    back = plane.back(expected)
    index[order[0]] = slice(2, 3)
    np.testing.assert_array_equal(back, layer.data[tuple(index)])


def test_planes_are_mapped_with_their_volume() -> None:
    viewer = ViewerModel()
    layer = viewer.add_image(RNG.integers(0, 4000, (3, 16, 16)).astype(np.uint16))
    plane = read_shown_plane(layer, viewer.dims)
    assert volume_intensity(plane) == pytest.approx(tuple(np.percentile(layer.data, (0.1, 99.9))))
    assert volume_intensity(plane, (1.0, 2.0)) == (1.0, 2.0)
    assert volume_intensity(plane, "dtype") == "dtype"


def test_a_view_in_3d_is_refused() -> None:
    viewer = ViewerModel()
    layer = viewer.add_image(np.zeros((4, 8, 8)))
    viewer.dims.ndisplay = 3
    with pytest.raises(ValueError, match="switch it to 2-D, as the network"):
        read_shown_plane(layer, viewer.dims)


def test_of_a_lazy_stack_only_the_plane_is_read() -> None:
    da = pytest.importorskip("dask.array")
    stack = RNG.integers(0, 4000, (4, 16, 16)).astype(np.uint16)
    read: list[object] = []

    def load(block, block_info=None):
        read.append(block_info[0]["chunk-location"])
        return block

    lazy = da.from_array(stack, chunks=(1, 16, 16)).map_blocks(load, dtype=stack.dtype)
    viewer = ViewerModel()
    layer = viewer.add_image(lazy, contrast_limits=(0, 4000))
    viewer.dims.set_point(0, 2)
    plane = read_shown_plane(layer, viewer.dims)
    read.clear()
    np.testing.assert_array_equal(plane.pixels(), stack[2])
    assert volume_intensity(plane) == "auto"  # that of the plane: a stack on disk is not read
    assert set(read) == {(2, 0, 0)}


def test_of_several_scales_the_finest_is_seen() -> None:
    image = RNG.integers(0, 255, (32, 48)).astype(np.uint8)
    viewer = ViewerModel()
    layer = viewer.add_image([image, image[::2, ::2]], multiscale=True, scale=(0.5, 0.5))
    plane = read_shown_plane(layer, viewer.dims)
    np.testing.assert_array_equal(plane.pixels(), image)
    np.testing.assert_allclose(plane.overlay(8, 3.5)["scale"], (4, 4))
    np.testing.assert_allclose(plane.overlay(8, 3.5)["translate"], (1.75, 1.75))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["feature_maps", "what_if", "analyses"])
def test_importing_a_dock_imports_no_torch(run_python, name: str) -> None:
    code = (
        f"import sys; import napari_anyir.widgets.{name}.{name}_widget; "
        "print(sorted({'torch', 'matplotlib'} & set(sys.modules)))"
    )
    assert run_python(code) == "[]"


# ---------------------------------------------------------------- maps over the image


def look(layer, viewer, show=MEAN, blocks=("encoder1.0", "latent.2"), parts=("alpha", "fused")):
    plane = read_shown_plane(layer, viewer.dims)
    job = FeatureMapsJob(plane, tuple(blocks), tuple(parts), show, 4, "nano", "cpu")
    return job, job(None, None)


@pytest.mark.filterwarnings("ignore:Non-orthogonal slicing")
@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1), (1, 0, 2)])
@pytest.mark.parametrize("show", [MEAN, PCA, ALL])
def test_maps_lie_over_what_they_were_computed_from(order, show) -> None:
    viewer = ViewerModel()
    layer = placed_layer(viewer)
    viewer.dims.order = order
    world = layer.data_to_world((1, 9, 12))
    viewer.dims.set_point(range(3), world)
    job, looked = look(layer, viewer, show)
    down, across = job.plane.displayed
    depth = next(axis for axis in range(3) if axis not in (down, across))
    assert job.plane.region.shape[depth] == 1
    for made in map_layers(job, looked):
        found = looked.maps[made.key[1:]]
        laid = Image(made.data, **made.options)
        lead = int(show == ALL)
        assert laid.ndim == 3 + lead
        assert laid.data.shape[: laid.ndim] == tuple(
            [found.array.shape[0]] * lead
            + [
                1 if axis == depth else -(-layer.data.shape[axis] // found.scale)
                for axis in range(3)
            ]
        )
        # The corner of the first pixel of a map is the corner of the first pixel of the image, and
        # likewise every 8 pixels: with rotation, shear, affine and all.
        for steps in ((0, 0), (1, 2)):
            here = np.zeros(3)
            here[[down, across]] = [step * 8 / found.scale - 0.5 for step in steps]
            there = np.zeros(3)
            there[[down, across]] = [step * 8 - 0.5 for step in steps]
            there[depth] = job.plane.region.start[depth]
            mapped = laid.data_to_world([*([2.0] * lead), *here])
            np.testing.assert_allclose(mapped[lead:], layer.data_to_world(there), atol=1e-6)
        assert [str(unit) for unit in laid.units[lead:]] == ["micrometer"] * 3
        assert laid.axis_labels[lead:] == ("z", "y", "x")


def test_maps_are_those_of_feature_maps() -> None:
    viewer = ViewerModel()
    layer = viewer.add_image(RNG.integers(0, 255, (21, 30, 3)).astype(np.uint8), rgb=True)
    expected = napari_anyir.feature_maps(
        layer.data, ["encoder1.0", "latent.2"], ["alpha", "fused"], model="nano", device="cpu"
    )
    by_show = {
        MEAN: lambda a: np.abs(a).mean(0),
        STRONGEST: lambda a: a[np.abs(a).mean((1, 2)).argmax()],
        ONE: lambda a: a[4],
        ALL: lambda a: a,
    }
    for show, reduce in by_show.items():
        job, looked = look(layer, viewer, show)
        made = {item.key[1:]: item for item in map_layers(job, looked)}
        assert list(made) == list(expected)
        for key, item in made.items():
            np.testing.assert_allclose(item.data, reduce(expected[key].array), atol=1e-5)
            inside = item.options["metadata"][INSIDE]
            assert inside["tau_adj"] == pytest.approx(expected[key].tau_adj.tolist())
            assert inside["lambda"] == pytest.approx(expected[key].lam)
            assert inside["model"] == "nano"
    job, looked = look(layer, viewer, PCA)
    for item in map_layers(job, looked):
        assert item.options["rgb"]
        assert item.data.shape[-1] == 3
        assert 0 <= item.data.min() <= item.data.max() <= 1


def test_a_channel_that_is_not_there_is_told() -> None:
    viewer = ViewerModel()
    layer = viewer.add_image(RNG.random((16, 16)))
    plane = read_shown_plane(layer, viewer.dims)
    job = FeatureMapsJob(plane, ("encoder1.0",), ("alpha", "fused"), ONE, 10, "nano", "cpu")
    looked = job(None, None)
    assert list(looked.maps) == [("encoder1.0", "fused")]
    assert looked.notes == ("alpha of encoder1.0 has 8 channels, so no channel 10.",)
    job = FeatureMapsJob(plane, ("encoder1.0",), ("alpha",), ONE, 10, "nano", "cpu")
    with pytest.raises(ValueError, match=r"so no channel 10\. Choose a smaller number"):
        job(None, None)


def test_what_would_not_fit_is_refused_before_the_image_is_read(monkeypatch) -> None:
    from napari_anyir.inference.engine import memory_estimate

    monkeypatch.setattr(memory_estimate, "free_bytes", lambda device: 10_000_000)
    viewer = ViewerModel()
    layer = viewer.add_image(np.zeros((300, 300), np.uint8))
    plane = read_shown_plane(layer, viewer.dims)
    read: list[object] = []
    monkeypatch.setattr(feature_maps_job, "volume_intensity", lambda *a: read.append(a))
    job = FeatureMapsJob(plane, ("encoder1.0",), ("alpha",), ALL, 0, "nano", "cpu")
    with pytest.raises(ValueError, match="are free; show 'Mean absolute value', choose fewer"):
        job(None, None)
    assert not read


def test_cancel_stops_a_look() -> None:
    viewer = ViewerModel()
    layer = viewer.add_image(RNG.random((16, 16)))
    plane = read_shown_plane(layer, viewer.dims)
    cancel = threading.Event()
    cancel.set()
    job = FeatureMapsJob(plane, ("encoder1.0",), ("alpha",), MEAN, 0, "nano", "cpu")
    with pytest.raises(Cancelled):
        job(None, cancel)


def test_groups_are_found_by_their_tag_and_updated_in_place() -> None:
    viewer = ViewerModel()
    layer = placed_layer(viewer)
    job, looked = look(layer, viewer)
    for made in map_layers(job, looked):
        viewer.add_image(made.data, **made.options)
    groups = groups_of(viewer.layers)
    assert {key: len(items) for key, items in groups.items()} == {
        (str(layer.unique_id), "encoder1.0"): 2,
        (str(layer.unique_id), "latent.2"): 2,
    }
    viewer.dims.set_point(range(3), layer.data_to_world((2, 9, 12)))
    job, looked = look(layer, viewer)
    first = groups[str(layer.unique_id), "latent.2"][1]
    made = next(item for item in map_layers(job, looked) if item.key[1:] == ("latent.2", "fused"))
    first.visible, first.opacity = False, 0.4
    assert update_layer(first, made)
    np.testing.assert_array_equal(first.data, made.data)
    np.testing.assert_allclose(first.translate, made.options["translate"])
    assert (first.visible, first.opacity) == (False, 0.4)
    job, looked = look(layer, viewer, ALL)
    made = next(item for item in map_layers(job, looked) if item.key[1:] == ("latent.2", "fused"))
    assert not update_layer(first, made)
    assert first.metadata[INSIDE]["show"] == MEAN


def test_without_a_model_the_kind_of_the_layer_chooses_it() -> None:
    viewer = ViewerModel()
    grey = viewer.add_image(np.random.default_rng(0).integers(90, 400, (24, 32), np.uint16))
    plane = read_shown_plane(grey, viewer.dims)
    looked = FeatureMapsJob(plane, ("latent.0",), ("fused",), device="cpu")(None, None)
    assert looked.record["model"] == "denoise"
    assert looked.record["chosen"] == "the image has one channel"
    assert looked.maps["latent.0", "fused"].model == "denoise"
