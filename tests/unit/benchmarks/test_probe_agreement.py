import probe_agreement


def probed(latency_ms, noise_ms):
    return {"rows": {"net": {"latency_ms": latency_ms, "noise_ms": noise_ms, "rounds": 10}}}


def test_two_probes_agree_within_the_larger_of_their_noises():
    found = probe_agreement.compare(probed(2.0, 0.05), probed(2.1, 0.1))["net"]
    assert found["agrees"]
    assert found["difference_ms"] == 0.1
    assert found["larger_noise_ms"] == 0.1
    assert found["relative_difference"] == 0.05
    assert not probe_agreement.compare(probed(2.0, 0.05), probed(2.11, 0.05))["net"]["agrees"]


def test_timms_network_is_ours(tmp_path):
    probe_agreement.export_timm(probe_agreement.timm_v1(0.25, 32), tmp_path / "timm.onnx", is_fixed=True)
    (logits,) = probe_agreement.open_plain(tmp_path / "timm.onnx")()
    ours = probe_agreement.open_ours(probe_agreement.write_ours(0.25, 32))()["logits"]
    assert logits.shape == ours.shape == (1, 1000)


def test_the_order_and_the_ratios_decide():
    names = [f"{who} w{width:.2f}_r{side}" for width, side in probe_agreement.SHARED for who in ("ours", "timm")]
    times = {name: {"median_ms": 1.0 + i // 2, "noise_ms": 0.03} for i, name in enumerate(names)}
    times["ours w1.00_r224, again"] = times["ours w1.00_r224"]
    probes = [{"seconds": 80.0}, {"seconds": 91.0}]
    pairs = {"net": {"agrees": True, "relative_noise": 0.03, "relative_difference": 0.01}}
    found = probe_agreement.summarize(probes, pairs, times | {"timm w0.50_r160": {"median_ms": 3.5, "noise_ms": 0.1}})
    assert found["ours_over_timm"]["w1.00_r224"]["ratio"] == 1.0
    assert found["goals"] == {
        "a probe < 90 s": False,
        "agreeing >= 14": False,
        "noise <= 15%": True,
        "ours within 15% of timm": False,
        "same order": False,
    }
