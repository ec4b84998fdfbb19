#include "run/disk_reader.h"

#include <algorithm>

#include "pacing/retry_policy.h"

namespace diskrelease {
namespace {

std::string_view result_text(DescribeReading::Kind kind) {
  switch (kind) {
    case DescribeReading::Kind::complete:
      return "complete";
    case DescribeReading::Kind::throttled:
      return "throttled";
    case DescribeReading::Kind::failed:
      return "failed";
    case DescribeReading::Kind::stop:
      return "stop";
  }
  return "";
}

}  // namespace

DiskReader::DiskReader(const RunParts& parts, std::size_t lane, std::uint64_t seed)
    : parts_(parts), lane_(lane), random_(seed) {}

void DiskReader::begin(ReadPurpose purpose, Batch batch) {
  purpose_ = purpose;
  batch_ = std::move(batch);
  disks_.clear();
  for (const ReadSubject& subject : batch_) disks_.push_back(subject.disk);
  asks_ = Asks::disks;
  controlled_ = false;
  slot_.reset();
  not_before_.reset();
  failures_ = 0;
  throttled_ = 0;
  result_.reset();
}

std::optional<SteadyTime> DiskReader::step() {
  const SteadyTime now = parts_.clock.steady_now();
  if (!slot_) {
    slot_ = parts_.gate.reserve(std::max(now, not_before_.value_or(now)));
    connected_ = false;
    has_reconnected_ = false;
    return slot_->at - k_connect_lead;
  }
  if (!parts_.may_go_on()) {
    DescribeReading stopped;
    stopped.message = "the run is stopping";
    return finish(std::move(stopped));
  }
  if (!connected_) {
    if (std::optional<TransportFailure> failure = parts_.transport.prepare(lane_)) {
      return ended(*std::move(failure), Blanking(parts_.caller.credential), now,
                   parts_.clock.utc_now());
    }
    connected_ = true;
    return slot_->at;
  }
  // The server may have closed the connection meanwhile, and the handshake must not lie between the
  // count of the departure and the request.
  if (!parts_.transport.is_connected(lane_)) {
    if (std::exchange(has_reconnected_, true)) {
      return ended(connections_end_at_once(), Blanking(), now, parts_.clock.utc_now());
    }
    connected_ = false;
    return now;
  }
  // Signed before the departure is counted: the first signature of a process takes long.
  const UtcTime sent = parts_.clock.utc_now();
  const HttpRequest request =
      asks_ == Asks::account
          ? describe_account_request(parts_.caller, sent)
          : describe_disks_request(parts_.caller, asks_ == Asks::witness ? witness_ : disks_, sent);
  const SteadyTime departed = parts_.clock.steady_now();
  if (const std::optional<Slot> later = parts_.gate.depart(*slot_, departed)) {
    slot_ = later;
    has_reconnected_ = false;
    return slot_->at;
  }
  parts_.transport.start(lane_, request);
  parts_.gate.left(departed, parts_.clock.steady_now());
  return ended(parts_.transport.finish(lane_), Blanking(parts_.caller.credential, request),
               departed, sent);
}

void DiskReader::doubt(DescribeReading& reading, SteadyTime now) {
  const bool shown = account_shown_ && now - *account_shown_ <= parts_.spec.settle.poll;
  if (controlled_ || shown || !needs_control(batch_, reading.sightings)) return;
  const auto missing = std::ranges::count(reading.sightings, DiskStatus::absent, &Sighting::status);
  reading.kind = DescribeReading::Kind::failed;
  reading.message = std::to_string(missing) + " of " + std::to_string(reading.sightings.size()) +
                    " disks are left out, which proves nothing until the account is seen";
  reading.sightings.clear();
  asks_ = Asks::account;
}

void DiskReader::control(Asks asked, DescribeReading& reading, SteadyTime now) {
  const Sighting seen = std::move(reading.sightings.front());
  reading.sightings.clear();
  if (asked == Asks::account) {
    reading.message = "the account has disk " + seen.disk.text();
    witness_ = {seen.disk};
    asks_ = Asks::witness;
  } else if (seen.status == DiskStatus::absent) {
    reading.kind = DescribeReading::Kind::failed;
    reading.message = "disk " + seen.disk.text() + ", which the account has, is left out";
  } else {
    reading.message = "disk " + seen.disk.text() + ", which the account has, is shown";
    account_shown_ = now;
    controlled_ = true;
  }
}

void DiskReader::record(const DescribeReading& reading, std::size_t asked) {
  ReadRecord record;
  record.purpose = purpose_;
  record.disk_count = static_cast<std::int64_t>(asked);
  record.result = result_text(reading.kind);
  record.http_status = reading.http_status;
  record.api_code = reading.api_code;
  record.request_id = reading.request_id;
  record.message = reading.message;
  record.sent = latest_.sent_utc;
  record.finished = latest_.answered_utc;
  std::vector<ItemSighting> sightings;
  for (std::size_t i = 0; i < reading.sightings.size(); ++i) {
    if (latest_.counts[i]) sightings.push_back({batch_[i].item, reading.sightings[i]});
  }
  parts_.log.record_read(std::move(record), std::move(sightings));
}

std::optional<SteadyTime> DiskReader::ended(const Reply& reply, const Blanking& blank,
                                            SteadyTime departed, UtcTime sent) {
  const SteadyTime now = parts_.clock.steady_now();
  const Asks asked = std::exchange(asks_, Asks::disks);
  DescribeReading reading =
      asked == Asks::account
          ? classify_account(reply, blank)
          : classify_describe(reply, asked == Asks::witness ? witness_ : disks_, blank);
  const bool complete = reading.kind == DescribeReading::Kind::complete;
  if (complete && asked == Asks::disks) doubt(reading, now);
  if (complete && asked != Asks::disks) control(asked, reading, now);
  latest_.counts.clear();
  for (std::size_t i = 0; i < reading.sightings.size(); ++i) {
    latest_.counts.push_back(
        counts(batch_[i], reading.sightings[i], sent, parts_.spec.settle.poll));
  }
  latest_.sent = departed;
  latest_.answered = now;
  latest_.sent_utc = sent;
  latest_.answered_utc = parts_.clock.utc_now();
  record(reading, asked == Asks::disks ? batch_.size() : 1);
  slot_.reset();
  const bool was_control = asked != Asks::disks && reading.kind == DescribeReading::Kind::complete;
  if (asks_ != Asks::disks || was_control) {
    not_before_ = now;
    return now;
  }
  switch (reading.kind) {
    case DescribeReading::Kind::complete:
    case DescribeReading::Kind::stop:
      return finish(std::move(reading));
    case DescribeReading::Kind::throttled:
      parts_.gate.throttled(departed, now, reading.retry_after);
      // The same once more: who begins anew with each refusal may never get as far as the last
      // read.
      asks_ = asked;
      if (++throttled_ >= k_max_throttled) return finish(std::move(reading));
      // A server may ask for no pause, and refuse all the same.
      not_before_ = throttled_ == 1 ? now : now + backoff(throttled_ - 1);
      return *not_before_;
    case DescribeReading::Kind::failed:
      break;
  }
  if (++failures_ >= k_max_tries) return finish(std::move(reading));
  not_before_ = now + backoff(failures_);
  return *not_before_;
}

std::chrono::nanoseconds DiskReader::backoff(int in_a_row) {
  constexpr int k_most_doublings = 10;  // the longest is reached before
  const auto ceiling = std::min<std::chrono::nanoseconds>(
      k_first_backoff * (std::int64_t{1} << std::min(in_a_row - 1, k_most_doublings)),
      k_longest_backoff);
  std::uniform_int_distribution<std::int64_t> jitter(0, ceiling.count());
  return std::chrono::nanoseconds(jitter(random_));
}

std::optional<SteadyTime> DiskReader::finish(DescribeReading reading) {
  latest_.reading = std::move(reading);
  result_ = std::move(latest_);
  latest_ = {};
  return std::nullopt;
}

DiskReader::Result DiskReader::take() {
  Result result = std::move(*result_);
  result_.reset();
  batch_.clear();
  return result;
}

}  // namespace diskrelease
