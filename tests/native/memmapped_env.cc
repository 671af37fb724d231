// Runs a memory-mapped package as a phone does: through TensorFlow's own MemmappedEnv.
//
//   memmapped_env MODEL INPUT_NAME DIMS INPUT_RAW OUTPUT_NAME OUTPUT_RAW
//
// A MODEL that ends in .pb is a plain GraphDef, which is loaded instead, for comparison. DIMS is like 1,28,28,1 (or
// `scalar`); the raw files are little-endian float32. Prints the output's sizes, in the form of DIMS; the milliseconds
// that loading and running took; and by how many bytes the process's anonymous memory had grown after each. Exit code 1
// and one line on stderr when anything fails.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "tensorflow/core/framework/graph.pb.h"
#include "tensorflow/core/framework/tensor.h"
#include "tensorflow/core/platform/env.h"
#include "tensorflow/core/public/session.h"
#include "tensorflow/core/public/session_options.h"
#include "tensorflow/core/util/memmapped_file_system.h"

namespace tf = tensorflow;

namespace {

[[noreturn]] void Fail(const std::string& what) {
  std::cerr << "memmapped_env: " << what << std::endl;
  std::exit(1);
}

void Check(const absl::Status& status, const std::string& what) {
  if (!status.ok()) Fail(what + ": " + status.ToString());
}

double MillisecondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

tf::TensorShape ParseShape(const std::string& dims) {
  tf::TensorShape shape;
  if (dims == "scalar") return shape;
  std::istringstream parts(dims);
  for (std::string part; std::getline(parts, part, ',');) {
    Check(shape.AddDimWithStatus(std::strtoll(part.c_str(), nullptr, 10)), "DIMS " + dims);
  }
  return shape;
}

std::string FormatShape(const tf::TensorShape& shape) {
  std::string dims;
  for (int i = 0; i < shape.dims(); ++i) dims += (i ? "," : "") + std::to_string(shape.dim_size(i));
  return dims.empty() ? "scalar" : dims;
}

tf::Tensor ReadInput(const std::string& path, const std::string& dims) {
  std::ifstream file(path, std::ios::binary);
  if (!file) Fail(path + ": cannot be read");
  const std::string bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  tf::Tensor tensor(tf::DT_FLOAT, ParseShape(dims));
  if (bytes.size() != tensor.TotalBytes()) Fail(path + ": has another size than float32[" + dims + "]");
  std::copy(bytes.begin(), bytes.end(), reinterpret_cast<char*>(tensor.data()));
  return tensor;
}

void WriteOutput(const std::string& path, const tf::Tensor& tensor) {
  if (tensor.dtype() != tf::DT_FLOAT) Fail("the output is " + tf::DataTypeString(tensor.dtype()) + ", not float");
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(tensor.data()), tensor.TotalBytes());
  file.close();
  if (!file) Fail(path + ": cannot be written");
}

// Memory that no file backs, of which a phone has little: the system cannot drop it and read it again.
std::int64_t AnonymousBytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("RssAnon:", 0) == 0) return 1024 * std::strtoll(line.c_str() + 8, nullptr, 10);
  }
  Fail("/proc/self/status has no RssAnon");
}

bool EndsWith(const std::string& text, const std::string& ending) {
  return text.size() >= ending.size() && text.compare(text.size() - ending.size(), ending.size(), ending) == 0;
}

std::unique_ptr<tf::Session> Load(tf::MemmappedEnv* env, const std::string& path) {
  tf::GraphDef graph;
  if (EndsWith(path, ".pb")) {
    Check(tf::ReadBinaryProto(env, path, &graph), path);
  } else {
    Check(env->InitializeFromFile(path), path);
    Check(tf::ReadBinaryProto(env, tf::MemmappedFileSystem::kMemmappedPackageDefaultGraphDef, &graph), "the graph");
  }
  tf::SessionOptions options;
  options.env = env;
  // Constant folding would copy the mapped weights, which is what the format is there to avoid.
  options.config.mutable_graph_options()->mutable_optimizer_options()->set_opt_level(tf::OptimizerOptions::L0);
  options.config.mutable_graph_options()->mutable_rewrite_options()->set_disable_meta_optimizer(true);
  std::unique_ptr<tf::Session> session(tf::NewSession(options));
  if (session == nullptr) Fail("no session can be made");
  Check(session->Create(graph), "the graph");
  return session;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 7) Fail("usage: memmapped_env MODEL INPUT_NAME DIMS INPUT_RAW OUTPUT_NAME OUTPUT_RAW");
  const tf::Tensor input = ReadInput(argv[4], argv[3]);
  const std::int64_t before = AnonymousBytes();
  const auto start = std::chrono::steady_clock::now();
  tf::MemmappedEnv env(tf::Env::Default());
  const std::unique_ptr<tf::Session> session = Load(&env, argv[1]);
  const double load = MillisecondsSince(start);
  const std::int64_t loaded_bytes = AnonymousBytes() - before;
  const auto loaded = std::chrono::steady_clock::now();
  std::vector<tf::Tensor> outputs;
  Check(session->Run({{argv[2], input}}, {argv[5]}, {}, &outputs), "the run");
  const double run = MillisecondsSince(loaded);
  const std::int64_t run_bytes = AnonymousBytes() - before;
  WriteOutput(argv[6], outputs[0]);
  std::cout << FormatShape(outputs[0].shape()) << " " << load << " " << run << " " << loaded_bytes << " " << run_bytes
            << std::endl;
  Check(session->Close(), "closing");
  return 0;
}
