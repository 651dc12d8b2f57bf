// The conformance test's work on the event core of ns-3: 32 constant-rate sources, 149 Mpps, eight queues of 512 packets
// at load 1.5. Each packet is an arrival event and, if it is accepted, a departure event, and nothing else: no Packet, no
// net device, no trace source. It is the least that ns-3 can do for a packet.
//
//     c++ -O3 -march=native -o ns3 ns3.cc -lns3-core
//     ./ns3 ns3::PriorityQueueScheduler 20     simulates 20 ms
//
// It prints the packets offered and accepted and the CPU seconds of the simulation.
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include <sys/resource.h>

#include "ns3/core-module.h"

using namespace ns3;

namespace {

constexpr uint64_t kSources = 32, kQueues = 8, kRoom = 512;
Time service; // set once the resolution is: a Time made before is rounded to nanoseconds

struct Queue {
  uint64_t held = 0;
  Time leaves; // when the packet in service leaves

  void Depart() {
    if (--held > 0) {
      Serve();
    }
  }

  void Serve() {
    leaves = Simulator::Now() + service;
    Simulator::Schedule(service, &Queue::Depart, this);
  }

  // Arrive says whether the packet finds room. A packet that leaves at this very instant has made room already, though
  // its event may come later.
  bool Arrive() {
    if (held == kRoom && leaves > Simulator::Now()) {
      return false;
    }
    if (++held == 1) {
      Serve();
    }
    return true;
  }
};

std::array<Queue, kQueues> queues;
uint64_t offered, accepted;

struct Source {
  Time period;
  Queue *to = nullptr;

  void Send() {
    ++offered;
    accepted += to->Arrive();
    Simulator::Schedule(period, &Source::Send, this);
  }
};

double CpuSeconds() {
  rusage r;
  getrusage(RUSAGE_SELF, &r);
  return r.ru_utime.tv_sec + r.ru_stime.tv_sec + 1e-6 * (r.ru_utime.tv_usec + r.ru_stime.tv_usec);
}

} // namespace

int main(int argc, char **argv) {
  if (argc != 3 || std::atoi(argv[2]) < 1) {
    std::fprintf(stderr, "usage: %s SCHEDULER MILLISECONDS\n", argv[0]);
    return 2;
  }
  Time::SetResolution(Time::PS);
  service = PicoSeconds(80645);
  ObjectFactory scheduler;
  scheduler.SetTypeId(argv[1]);
  Simulator::SetScheduler(scheduler);
  std::array<Source, kSources> sources;
  for (uint64_t i = 0; i < kSources; i++) {
    sources[i].period = PicoSeconds(200000 + 970 * i);
    sources[i].to = &queues[i % kQueues];
    Simulator::Schedule(PicoSeconds(6700 * i), &Source::Send, &sources[i]);
  }
  // The end itself is not simulated any more.
  Simulator::Stop(MilliSeconds(std::atoi(argv[2])) - PicoSeconds(1));
  double begun = CpuSeconds();
  Simulator::Run();
  std::printf("%lu %lu %.6f\n", offered, accepted, CpuSeconds() - begun);
  Simulator::Destroy();
}
