"""What the harness does not answer yet: candidate to what happens. Take a line out when it is mended."""

_TIMED = "accepted: nothing looks at an output before the whole leg has ended"
_EARLY = "accepted: inputs lie in shared memory before the clock starts"
_STRAY = "accepted: daemons handed to the pre-warmed process are never looked for"
_ADDRESS = "accepted: outputs may share memory with inputs or within themselves"
_PROFILE = "track custom: the profile is made and reported by the candidate's own process"
_NATIVE = "track custom: only ATen operators of the calling thread count as library"
_LOG = "output.log is opened by name: links are followed and pipes block"
_SCRATCH = "the scratch folder of a failed build stays until the evaluator closes"
_STOP = "the evaluation raises instead of judging"

OPEN: dict[str, str] = {
    "A04_joined_by_data_ptr": _TIMED,
    "A05_lazy_instance": _TIMED,
    "A08_work_before_go_gc": _EARLY,
    "A08_work_before_go_thread": _EARLY,
    "A06_merged_calls": _TIMED,
    "A11_daemon_slows_baseline": _STRAY,
    "A11_sleeping_daemon": _STRAY,
    "A11_vm_sharing_helper": _STRAY,
    "B14_sampled_fingerprint": "accepted: no call differs from the one before in a few elements only",
    "B15_packed_weights": "accepted: weights never change within a run",
    "B17_message_queue": "System V message queues are open and outlive the candidate",
    "B17_shared_memory_of_the_system": "System V shared memory is open and outlives the candidate",
    "D29_shrunk_arena": "SIGBUS fells the parent: the arena is not sealed against shrinking",
    "D30_evaded_lockdown": "accepted: filters are counted, not compared with the count before",
    "D33_build_daemon": _SCRATCH,
    "D33_compiler_wrapper": _LOG,
    "D33_incbin": _SCRATCH,
    "D33_includes_secrets": _SCRATCH,
    "D32_exception_that_raises": "called a fault of the sandbox",
    "D32_exit_97": "called a fault of the sandbox",
    "D32_real_time_signal": _STOP,
    "D33_deep_folders": _STOP,
    "D33_log_is_a_link": _LOG,
    "D33_log_is_a_pipe": _LOG,
    "D35_forged_error": "a message of megabytes with control characters is passed on",
    "D35_forged_overflow": _STOP,
    "D_bomb_build_flags": "a long flag fells the pre-warmed process, and every later evaluation",
    "D_bomb_build_request": _STOP,
    "D_bomb_build_surrogate": _STOP,
    "D_bomb_build_when_timed": "a hang in a timed call lasts the time limit times the calls of a leg",
    "D_bomb_builds": "refused builds have no limit, and each starts the time limit anew",
    "D_bomb_compiler": _SCRATCH,
    "D_bomb_disk": "accepted: files are limited one by one, not altogether",
    "D_bomb_huge_output": "outputs are copied before their shape is compared",
    "D_bomb_many_outputs": "outputs are copied before they are counted",
    "D_bomb_unread_answers": "the parent blocks in a send for ever",
    "D_bomb_unstoppable": "harness_error: a thread in vfork cannot be stopped",
    "E37_library_in_a_thread": _NATIVE,
    "E37_numpy": _NATIVE,
    "E38_blas_by_ctypes": _NATIVE,
    "E40_fig_leaf_while_profiled": _PROFILE,
    "E45_alias_of_input": _ADDRESS,
    "E45_alias_when_timed": _ADDRESS,
    "E45_input_changed_and_restored": "accepted: inputs are writable to the candidate",
    "E45_overlapping_output": _ADDRESS,
    "E45_static_buffer_when_large": "accepted: with one call a leg no answer is held over a second call",
    "F46_own_shape_only": "accepted: declared shapes are not tried",
}
