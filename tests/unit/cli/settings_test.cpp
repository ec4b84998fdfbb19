#include "cli/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>

#include "model/errors.h"
#include "support/temporary_directory.h"

namespace diskrelease {
namespace {

using std::chrono::milliseconds;

constexpr const char* k_purge_needs_preflight =
    "purge needs the preflight: the second call is made only for a disk that was seen in the "
    "recycle bin";
constexpr const char* k_recycled_needs_purge =
    "include_recycled is for the goal purge only: to release a disk in the recycle bin is to "
    "destroy it";

/// Settings of this test alone, whatever the user who runs it has set.
class SettingsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(::setenv("XDG_CONFIG_HOME", directory_.path().c_str(), 1), 0);
    ASSERT_EQ(::unsetenv("ZENLAYER_ENDPOINT"), 0);
    ASSERT_EQ(::unsetenv("ZENLAYERCLOUD_DOMAIN"), 0);
  }

  void configure(const std::string& json) const {
    std::filesystem::create_directories(directory_ / "diskrelease");
    std::ofstream(directory_ / "diskrelease" / "config.json") << json;
  }

  std::string job(const std::string& json) const {
    std::ofstream(directory_ / "job.json") << json;
    return (directory_ / "job.json").string();
  }

  static std::string refusal(const std::function<JobSettings()>& read) {
    try {
      static_cast<void>(read());
    } catch (const UsageError& error) {
      return error.what();
    }
    ADD_FAILURE() << "the settings were accepted";
    return {};
  }

  std::string refusal_of_run(const std::string& target) const {
    return refusal([&] { return settings_for_run(flags_, target); });
  }

  std::string refusal_of_resume(const std::string& recorded) const {
    return refusal([&] { return settings_for_resume(flags_, recorded); });
  }

  JobSpec run(const std::string& target) const { return resolve(settings_for_run(flags_, target)); }
  JobSpec resume(const std::string& recorded) const {
    return resolve(settings_for_resume(flags_, recorded));
  }

  TemporaryDirectory directory_;
  Options flags_;
};

TEST_F(SettingsTest, AcceptTheGoalPurge) {
  flags_.settings.goal = Goal::purge;
  const JobSpec spec = run("disks.csv");
  EXPECT_EQ(spec.goal, Goal::purge);
  EXPECT_TRUE(spec.preflight);
  EXPECT_EQ(resume(R"({"goal": "purge"})").goal, Goal::purge);
}

TEST_F(SettingsTest, RefusePurgeWithoutPreflightWhateverLayersTheyComeFrom) {
  flags_.settings.preflight = false;
  EXPECT_EQ(refusal_of_run(job(R"({"list": "-", "goal": "purge"})")), k_purge_needs_preflight);
  EXPECT_EQ(refusal_of_resume(R"({"goal": "purge"})"), k_purge_needs_preflight);
  EXPECT_FALSE(run(job(R"({"list": "-", "goal": "release"})")).preflight);
  EXPECT_FALSE(resume("{}").preflight);

  flags_.settings = {};
  flags_.settings.goal = Goal::purge;
  configure(R"({"preflight": false})");
  EXPECT_EQ(refusal_of_run("disks.csv"), k_purge_needs_preflight);
  flags_.settings.preflight = true;
  EXPECT_TRUE(run("disks.csv").preflight);
}

TEST_F(SettingsTest, RefuseRecycledDisksWithoutTheGoalPurge) {
  flags_.settings.include_recycled = true;
  EXPECT_EQ(refusal_of_run("disks.csv"), k_recycled_needs_purge);
  EXPECT_EQ(refusal_of_run(job(R"({"list": "-", "goal": "release"})")), k_recycled_needs_purge);
  EXPECT_TRUE(run(job(R"({"list": "-", "goal": "purge"})")).include_recycled);

  flags_.settings = {};
  EXPECT_EQ(refusal_of_run(job(R"({"list": "-", "include_recycled": true})")),
            k_recycled_needs_purge);
  EXPECT_FALSE(run(job(R"({"list": "-", "include_recycled": false})")).include_recycled);
  EXPECT_EQ(refusal_of_resume(R"({"include_recycled": true})"), k_recycled_needs_purge);
}

TEST_F(SettingsTest, OfARunStayWhatWasApprovedWhenTheConfigurationChanges) {
  configure(R"({"goal": "purge", "include_recycled": true, "in_flight": 9})");
  const JobSpec spec = resume("{}");
  EXPECT_EQ(spec.goal, Goal::release) << "the default, when the run was made";
  EXPECT_FALSE(spec.include_recycled);
  EXPECT_EQ(spec.in_flight, 9) << "the rest of the configuration still counts";
  EXPECT_FALSE(resume(R"({"goal": "purge"})").include_recycled);
  EXPECT_TRUE(resume(R"({"goal": "purge", "include_recycled": true})").include_recycled);
  EXPECT_EQ(run("disks.csv").goal, Goal::purge) << "a new run goes by it";
}

TEST_F(SettingsTest, OfAResumedRunAreOverruledByFlagsOnly) {
  configure(R"({"verify": false, "settle": {"window": "1h", "poll": "1m"}})");
  flags_.settings.settle_window = milliseconds{20'000};
  const JobSpec spec =
      resume(R"({"verify": true, "settle": {"window": "30s", "resend_unsettled": true,
                                             "poll": "2s"}})");
  EXPECT_TRUE(spec.verify);
  EXPECT_EQ(spec.settle, (SettleLimits{milliseconds{20'000}, milliseconds{2'000}, true}));
}

TEST_F(SettingsTest, RefuseAPollLongerThanTheWindowOfAnotherLayer) {
  flags_.settings.settle_poll = milliseconds{5'001};
  EXPECT_EQ(refusal_of_run(job(R"({"list": "-", "settle": {"window": "5s"}})")),
            "settings: settle.poll must not be longer than settle.window.");
  flags_.settings.settle_poll = milliseconds{5'000};
  EXPECT_EQ(run(job(R"({"list": "-", "settle": {"window": "5s"}})")).settle.poll,
            milliseconds{5'000});
  flags_.settings.settle_poll = milliseconds{9};
  EXPECT_EQ(refusal_of_run("disks.csv"), "flags: settle.poll must be a duration from 10ms to 24h.");
}

}  // namespace
}  // namespace diskrelease
