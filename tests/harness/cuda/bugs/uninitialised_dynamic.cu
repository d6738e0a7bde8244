// expect: uninitialised_shared
// launch: 4 32 128
// arguments: randn 1024, zeros 4, 1024
extern "C" __global__ void uninitialised_dynamic(const float* a, float* o, int n) {
  extern __shared__ float d[];
  if (threadIdx.x < 7) d[threadIdx.x] = a[threadIdx.x];
  __syncwarp();
  if (threadIdx.x == 0) o[blockIdx.x] = d[0] + d[7];
}
