// The little of libtorch that tch does not bind. Every function returns null, or a message that the caller frees.
#include <ATen/Context.h>
#include <ATen/autocast_mode.h>
#include <ATen/ops/_foreach_mul.h>
#include <ATen/ops/_foreach_norm.h>
#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/stack.h>
#include <cfenv>
#include <cstring>
#include <torch/csrc/autograd/autograd.h>
#include <vector>

namespace {
std::vector<at::Tensor> gather(at::Tensor *const *pointers, int64_t count) {
  std::vector<at::Tensor> tensors;
  tensors.reserve(count);
  for (int64_t i = 0; i < count; ++i) tensors.push_back(*pointers[i]);
  return tensors;
}

template <typename F> char *guarded(F &&body) {
  try {
    body();
    return nullptr;
  } catch (const std::exception &e) {
    return strdup(e.what());
  } catch (...) {
    return strdup("unknown C++ exception");
  }
}
} // namespace

extern "C" {
char *clmbench_fused_adamw(at::Tensor *const *parameters, at::Tensor *const *gradients, at::Tensor *const *first_moments,
                           at::Tensor *const *second_moments, at::Tensor *const *steps, int64_t count, double learning_rate,
                           double beta1, double beta2, double weight_decay, double epsilon) {
  return guarded([&] {
    at::_fused_adamw_(gather(parameters, count), gather(gradients, count), gather(first_moments, count),
                      gather(second_moments, count), {}, gather(steps, count), learning_rate, beta1, beta2, weight_decay,
                      epsilon, /*amsgrad=*/false, /*maximize=*/false);
  });
}

char *clmbench_clip_gradients(at::Tensor *const *gradients, int64_t count, double largest, double *norm) {
  return guarded([&] {
    auto tensors = gather(gradients, count);
    if (tensors.empty()) {
      *norm = 0.0;
      return;
    }
    *norm = at::stack(at::_foreach_norm(tensors)).norm().item<double>();
    if (*norm > largest) at::_foreach_mul_(tensors, largest / (*norm + 1e-6));
  });
}

char *clmbench_vector_jacobian(at::Tensor *const *outputs, at::Tensor *const *vectors, int64_t count,
                               at::Tensor *const *inputs, int64_t inputs_count, bool keep_graph, at::Tensor **products) {
  return guarded([&] {
    auto found = torch::autograd::grad(gather(outputs, count), gather(inputs, inputs_count), gather(vectors, count), keep_graph,
                                       /*create_graph=*/false, /*allow_unused=*/true);
    for (int64_t i = 0; i < inputs_count; ++i) products[i] = new at::Tensor(std::move(found[i]));
  });
}

char *clmbench_use_flash_attention(bool on) {
  return guarded([&] { at::globalContext().setSDPUseFlash(on); });
}

char *clmbench_deterministic(bool on) {
  return guarded([&] {
    at::globalContext().setDeterministicAlgorithms(on, /*warn_only=*/false);
    // Fresh memory is never read here; filling it would only cost time.
    at::globalContext().setDeterministicFillUninitializedMemory(false);
  });
}

char *clmbench_flush_denormal(bool on) {
  return guarded([&] { at::globalContext().setFlushDenormal(on); });
}

char *clmbench_default_float_environment() {
  return std::fesetenv(FE_DFL_ENV) == 0 ? nullptr : strdup("the floating-point environment cannot be set");
}

char *clmbench_autocast(bool on) {
  return guarded([&] {
    for (const auto device : {at::kCPU, at::kCUDA}) {
      at::autocast::set_autocast_dtype(device, at::kBFloat16);
      at::autocast::set_autocast_enabled(device, on);
    }
    if (!on) at::autocast::clear_cache();
  });
}
}
