// launch: 4 256 0
// arguments: randn 1024, zeros 4, 1024
// check: a1 - a0.view(4, 256).sum(1)
#include <cooperative_groups.h>
#include <cooperative_groups/reduce.h>
namespace cg = cooperative_groups;
extern "C" __global__ void cooperative_sum(const float* a, float* o, int n) {
  auto block = cg::this_thread_block();
  auto tile = cg::tiled_partition<16>(block);
  float v = a[blockIdx.x * 256 + block.thread_rank()];
  v = cg::reduce(tile, v, cg::plus<float>());
  if (tile.thread_rank() == 0) atomicAdd(&o[blockIdx.x], v);
}
