"""What the harness does not answer yet: candidate to what happens. Take a line out when it is mended."""

_TIMED = "accepted: nothing looks at an output before the whole leg has ended"
_PROFILE = "track custom: the profile is made and reported by the candidate's own process"
_NATIVE = "track custom: only ATen operators of the calling thread count as library"

OPEN: dict[str, str] = {
    "A04_joined_by_data_ptr": _TIMED,
    "A05_lazy_instance": _TIMED,
    "A06_merged_calls": _TIMED,
    "B14_sampled_fingerprint": "accepted: no call differs from the one before in a few elements only",
    "B15_packed_weights": "accepted: weights never change within a run",
    "D_bomb_disk": "accepted: files are limited one by one, not altogether",
    "E37_library_in_a_thread": _NATIVE,
    "E37_numpy": _NATIVE,
    "E38_blas_by_ctypes": _NATIVE,
    "E40_fig_leaf_while_profiled": _PROFILE,
    "E45_input_changed_and_restored": "accepted: inputs are writable to the candidate",
    "E45_overlapping_output": "accepted: elements of an output may share memory",
    "E45_static_buffer_when_large": "accepted: with one call a leg no answer is held over a second call",
    "F46_own_shape_only": "accepted: declared shapes are not tried",
}
