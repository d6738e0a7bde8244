// Reductions of all threads of a block. Blocks are whole warps; every thread calls.
struct Sum { template <class T> __device__ T operator()(T a, T b) const { return a + b; } };
struct Prod { template <class T> __device__ T operator()(T a, T b) const { return a * b; } };
struct Any { template <class T> __device__ T operator()(T a, T b) const { return a || b; } };
struct All { template <class T> __device__ T operator()(T a, T b) const { return a && b; } };
// A NaN stays.
struct Max { template <class T> __device__ T operator()(T a, T b) const { return a > b || a != a ? a : b; } };
struct Min { template <class T> __device__ T operator()(T a, T b) const { return a < b || a != a ? a : b; } };
template <class F, class T>
__device__ T block_reduce(T x, T start, F f) {
  __shared__ T part[32];
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, warps = blockDim.x / 32;
  for (int step = 16; step > 0; step /= 2) x = f(x, __shfl_xor_sync(0xffffffffu, x, step));
  __syncthreads();  // part may still be read from the reduction before
  if (lane == 0) part[warp] = x;
  __syncthreads();
  x = start;
  for (int w = 0; w < warps; ++w) x = f(x, part[w]);
  return x;
}
// Whether (a, i) comes before (b, j): the better value, NaN best of all, of equals the first.
template <bool largest, class T>
__device__ bool wins(T a, int i, T b, int j) {
  const bool odd = a != a, other = b != b;
  if (odd || other) return odd && (!other || i < j);
  return (largest ? a > b : a < b) || (a == b && i < j);
}
template <bool largest, class T>
__device__ int block_best(T x, int at) {
  __shared__ T part[32];
  __shared__ int place[32];
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, warps = blockDim.x / 32;
  for (int step = 16; step > 0; step /= 2) {
    const T y = __shfl_xor_sync(0xffffffffu, x, step);
    const int j = __shfl_xor_sync(0xffffffffu, at, step);
    if (wins<largest>(y, j, x, at)) { x = y; at = j; }
  }
  __syncthreads();
  if (lane == 0) { part[warp] = x; place[warp] = at; }
  __syncthreads();
  x = part[0];
  at = place[0];
  for (int w = 1; w < warps; ++w) {
    if (wins<largest>(part[w], place[w], x, at)) { x = part[w]; at = place[w]; }
  }
  return at;
}
