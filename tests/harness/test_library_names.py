"""Names by which libraries are known."""

import pytest

from kernelwright.harness.library_names import of_a_library


@pytest.mark.parametrize(
    "name",
    [
        "cblas_sgemm", "scipy_cblas_sgemm64_", "scipy_LAPACKE_dgesv64_", "openblas_read_env",
        "scipy_openblas_get_config64_", "sgemm_", "dgemm_64_", "scipy_sgemm_64_", "gotoblas_init",
        "goto_set_num_threads", "scipy_goto_set_num_threads64_", "mkl_blas__caxpy",
        "mkl_lapack_dlatrd", "MKL_Get_Max_Threads", "MKL_DOMATCOPY2", "mkl_cblas_sgemm",
        "mkl_sparse_d_mv", "MKL_SPARSE_S_ADD", "dnnl_sgemm", "dnnl_gemm_s8s8s32",
        "dnnl_primitive_execute", "xnn_f32_gemm_ukernel_4x8__sse", "xnn_initialize",
        "xnn_create_fully_connected_nc_f32", "bli_sgemm", "bli_gemm", "bli_sgemm_haswell_asm_6x16",
        "bli_saxpyv", "bli_obj_create", "bli_gks_query_cntx",
    ],
)  # fmt: skip
def test_one_name_that_nobody_else_would_choose_is_enough(name: str):
    assert of_a_library(["go", name])


OWN = [
    "bli_gelu",
    "bli_gelu_backward",
    "goto_next",
    "mkl_gelu",
    "xnn_forward",
    "dnnl_relu",
    "armpl_x",
]


def test_a_prefix_of_ones_own_is_no_library():
    assert not of_a_library(OWN)
    assert not of_a_library(["bli_gelu"] * 100)
    assert not of_a_library([])


def test_many_names_of_one_prefix_are():
    assert of_a_library([f"bli_x{i}" for i in range(16)])
    assert of_a_library([f"{'mkl' if i % 2 else 'MKL'}_x{i}" for i in range(16)])
    assert not of_a_library([f"{prefix}_x{i}" for prefix in ("bli", "xnn") for i in range(12)])
