#pragma once

#include <utility>

#include "model/disk_id.h"
#include "model/ids.h"

namespace diskrelease {

/// Which accepted call an attempt is meant to be. Goal `release` knows stage 1 only; `purge` has a
/// second one, which destroys what the first put into the recycle bin. Persisted as a number.
enum class Stage : int { release = 1, destroy = 2 };

/// An intent that is durable on disk and has no outcome yet: the licence to send one request for
/// one disk.
///
/// Only the audit room makes one, after the commit that holds the intent. Building a ReleaseDisk
/// request needs one, recording the outcome consumes it; so a request without a durable intent does
/// not compile, and neither does a second outcome. Dropping it records nothing: the attempt stays
/// open, and recovery closes it. Move-only; a moved-from object must not be used.
class OpenAttempt {
 public:
  OpenAttempt(OpenAttempt&&) noexcept = default;
  OpenAttempt& operator=(OpenAttempt&&) noexcept = default;
  OpenAttempt(const OpenAttempt&) = delete;
  OpenAttempt& operator=(const OpenAttempt&) = delete;
  ~OpenAttempt() = default;

  [[nodiscard]] AttemptId id() const noexcept { return id_; }
  [[nodiscard]] ItemId item() const noexcept { return item_; }
  [[nodiscard]] const DiskId& disk() const noexcept { return disk_; }
  [[nodiscard]] int number() const noexcept { return number_; }  ///< from 1 within the item
  [[nodiscard]] Stage stage() const noexcept { return stage_; }

 private:
  friend class Announcement;
  OpenAttempt(AttemptId id, ItemId item, DiskId disk, int number, Stage stage)
      : id_(id), item_(item), disk_(std::move(disk)), number_(number), stage_(stage) {}

  AttemptId id_;
  ItemId item_;
  DiskId disk_;
  int number_;
  Stage stage_;
};

/// That an attempt no longer counts as one whose request has certainly not left: after a crash it
/// is unknown. Made by AttemptLog::departs() alone; only who has it may let the request leave.
/// Move-only.
class Departure {
 public:
  Departure(Departure&&) noexcept = default;
  Departure& operator=(Departure&&) noexcept = default;
  Departure(const Departure&) = delete;
  Departure& operator=(const Departure&) = delete;
  ~Departure() = default;

  [[nodiscard]] AttemptId attempt() const noexcept { return attempt_; }

 private:
  friend class AttemptLog;
  explicit Departure(AttemptId attempt) noexcept : attempt_(attempt) {}

  AttemptId attempt_;
};

}  // namespace diskrelease
