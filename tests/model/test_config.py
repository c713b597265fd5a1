import pytest

from napari_anyir.model import VARIANTS, AnyIRConfig, build_model


@pytest.mark.parametrize("name", VARIANTS)
def test_survives_json(name):
    assert AnyIRConfig.from_dict(VARIANTS[name].to_dict()) == VARIANTS[name]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"dim": 15}, "dim"),
        ({"blocks": (1, 2, 3)}, "blocks"),
        ({"blocks": (1, 2, 2, -1)}, "blocks"),
        ({"heads": (3, 2, 4, 8)}, "heads of level 1"),
        ({"refinement": -1}, "refinement"),
        ({"split": "thirds"}, "split"),
        ({"fusion": "learnt"}, "fusion"),
        ({"gate_activation": "relu"}, "gate_activation"),
        ({"gate_fractions": (0.3, 0.3, 0.4)}, "gate_fractions"),
        ({"gate_fractions": (0.75, 0.0, 0.25)}, "gate_fractions"),
    ],
)
def test_names_the_field_that_is_wrong(fields, said):
    with pytest.raises(ValueError, match=said):
        AnyIRConfig(**{"dim": 16, "blocks": (1, 1, 1, 1), "refinement": 1, **fields})


def test_refuses_unknown_and_missing_fields():
    with pytest.raises(ValueError, match="'width'"):
        AnyIRConfig.from_dict({"dim": 16, "blocks": [1, 1, 1, 1], "refinement": 1, "width": 3})
    with pytest.raises(ValueError, match="'blocks'"):
        AnyIRConfig.from_dict({"dim": 16, "refinement": 1})


@pytest.mark.parametrize(
    ("fractions", "widths"),
    [
        (None, (9, 14, 14)),  # hidden = round(8 c / 3) = 37
        ((0.25, 0.25, 0.5), (7, 7, 14)),
        ((0, 0.5, 0.5), (0, 14, 14)),
        ((0.5, 0, 0.5), (14, 0, 14)),
        ((0.5, 0.5, 0), (14, 14, 0)),
    ],
)
def test_gate_widths_of_table_8(fractions, widths):
    config = AnyIRConfig(dim=28, blocks=(1, 1, 1, 1), refinement=0, gate_fractions=fractions)
    assert config.gate_widths(14) == widths


@pytest.mark.parametrize("variant", list(VARIANTS))
def test_stages_are_those_of_the_network(variant):
    config = VARIANTS[variant]
    network = build_model(config)
    for stage in config.stages():
        blocks = getattr(network, stage.name)
        assert len(blocks) == stage.count == len(stage.blocks)
        for block in blocks:
            assert block.fusion.project.in_channels == stage.channels
            assert len(block.attention.temperature) == stage.heads
    assert [stage.level for stage in config.stages()] == [0, 1, 2, 3, 2, 1, 0, 0]
