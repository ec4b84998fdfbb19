#include "run/bell.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <atomic>
#include <thread>

namespace diskrelease {
namespace {

bool rings(const Bell::Ear& ear, int timeout_ms = 0) {
  pollfd watched{.fd = ear.fd(), .events = POLLIN, .revents = 0};
  return ::poll(&watched, 1, timeout_ms) == 1;
}

TEST(BellTest, IsHeardByAllWhoListenAndByNobodyElse) {
  Bell bell;
  Bell::Ear first(bell);
  Bell::Ear second(bell);
  Bell::Ear deaf(bell);
  first.listen();
  second.listen();
  bell.ring();
  EXPECT_TRUE(rings(first));
  EXPECT_TRUE(rings(second));
  EXPECT_FALSE(rings(deaf));
}

TEST(BellTest, IsHeardOnceForEachListening) {
  Bell bell;
  Bell::Ear ear(bell);
  ear.listen();
  bell.ring();
  bell.ring();
  ear.hush();
  EXPECT_FALSE(rings(ear));
  bell.ring();
  EXPECT_FALSE(rings(ear)) << "nobody listens";
  ear.listen();
  EXPECT_FALSE(rings(ear));
  ear.hush();
  ear.listen();
  bell.ring();
  EXPECT_TRUE(rings(ear));
}

TEST(BellTest, AnEarThatIsGoneIsNotRungFor) {
  Bell bell;
  { const Bell::Ear ear(bell); }
  Bell::Ear ear(bell);
  ear.listen();
  bell.ring();
  EXPECT_TRUE(rings(ear));
}

// The order "listen, look, wait" misses no change, wherever the ring falls.
TEST(BellTest, NoRingIsMissedBetweenLookingAndWaiting) {
  constexpr int rounds = 2'000;
  Bell bell;
  std::atomic<int> changed = 0;
  std::atomic<int> seen = 0;
  std::thread ringer([&] {
    for (int i = 1; i <= rounds; ++i) {
      changed = i;
      bell.ring();
      while (seen < i) std::this_thread::yield();
    }
  });
  Bell::Ear ear(bell);
  for (int i = 1; i <= rounds; ++i) {
    while (changed < i) {
      ear.listen();
      if (changed < i) {
        EXPECT_TRUE(rings(ear, 10'000)) << "missed ring " << i;
      }
      ear.hush();
    }
    seen = i;
  }
  ringer.join();
  EXPECT_EQ(changed, rounds);
}

}  // namespace
}  // namespace diskrelease
