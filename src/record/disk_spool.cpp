#include "record/disk_spool.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace diskrelease {
namespace {

/// A byte for the length, the disk id, the number in the machine's order: the file never leaves it.
constexpr std::size_t k_number_bytes = sizeof(std::int64_t);
constexpr std::size_t k_longest_record = 1 + 255 + k_number_bytes;

constexpr std::size_t k_piece_bytes = std::size_t{512} * 1024;

/// Shared by the pieces that are merged, within bounds for each.
constexpr std::size_t k_merge_bytes = std::size_t{512} * 1024;
constexpr std::size_t k_least_buffer = 4 * 1024;

}  // namespace

void DiskSpool::add(std::string_view disk, std::int64_t number) {
  std::array<char, k_longest_record> record;
  record[0] = static_cast<char>(disk.size());
  disk.copy(record.data() + 1, disk.size());
  std::memcpy(record.data() + 1 + disk.size(), &number, k_number_bytes);
  file_.append({record.data(), 1 + disk.size() + k_number_bytes});
}

DiskSpool::Reader::Reader(const DiskSpool& spool, std::int64_t begin, std::int64_t end,
                          std::size_t buffer)
    : spool_(&spool), offset_(begin), end_(end), buffer_(buffer) {}

bool DiskSpool::Reader::next() {
  if (filled_ - at_ < k_longest_record && offset_ < end_) {
    std::copy(buffer_.begin() + static_cast<std::ptrdiff_t>(at_),
              buffer_.begin() + static_cast<std::ptrdiff_t>(filled_), buffer_.begin());
    filled_ -= at_;
    at_ = 0;
    const auto most = std::min(buffer_.size() - filled_, static_cast<std::size_t>(end_ - offset_));
    const std::size_t count = spool_->file_.read(offset_, {buffer_.data() + filled_, most});
    filled_ += count;
    offset_ += static_cast<std::int64_t>(count);
  }
  if (at_ == filled_) return false;
  const auto length = static_cast<std::size_t>(static_cast<unsigned char>(buffer_[at_]));
  disk_ = {buffer_.data() + at_ + 1, length};
  std::memcpy(&number_, buffer_.data() + at_ + 1 + length, k_number_bytes);
  at_ += 1 + length + k_number_bytes;
  return true;
}

DiskSorter::DiskSorter() = default;

void DiskSorter::add(std::string_view disk, std::int64_t number) {
  if (piece_.size() + disk.size() + k_number_bytes > k_piece_bytes) put_piece_aside();
  if (entries_.empty()) {
    shared_ = disk.size();
  } else {
    const std::string_view first = disk_at(entries_.front()).substr(0, shared_);
    const auto differ = std::ranges::mismatch(first, disk);
    shared_ = static_cast<std::size_t>(differ.in1 - first.begin());
  }
  entries_.push_back(
      {0, static_cast<std::uint32_t>(piece_.size()), static_cast<std::uint32_t>(disk.size())});
  piece_.append(disk);
  std::array<char, k_number_bytes> bytes;
  std::memcpy(bytes.data(), &number, k_number_bytes);
  piece_.append(bytes.data(), k_number_bytes);
}

void DiskSorter::sort(const std::function<void(std::string_view disk, std::int64_t number)>& sink) {
  if (!pieces_.empty()) {
    put_piece_aside();
    piece_ = {};
    entries_ = {};
    merge(sink);
    return;
  }
  sort_piece();
  for (const Entry& entry : entries_) sink(disk_at(entry), number_at(entry));
}

std::string_view DiskSorter::disk_at(const Entry& entry) const noexcept {
  return std::string_view(piece_).substr(entry.offset, entry.length);
}

std::int64_t DiskSorter::number_at(const Entry& entry) const noexcept {
  std::int64_t number = 0;
  std::memcpy(&number, piece_.data() + entry.offset + entry.length, k_number_bytes);
  return number;
}

void DiskSorter::sort_piece() {
  for (Entry& entry : entries_) {
    // Zeros stand for bytes that are not there; where keys are equal, the whole ids decide.
    const std::string_view rest = disk_at(entry).substr(shared_);
    entry.key = 0;
    for (std::size_t i = 0; i < sizeof(entry.key); ++i) {
      entry.key = (entry.key << 8) | (i < rest.size() ? static_cast<unsigned char>(rest[i]) : 0U);
    }
  }
  std::ranges::sort(entries_, [this](const Entry& a, const Entry& b) {
    if (a.key != b.key) return a.key < b.key;
    const int order = disk_at(a).compare(disk_at(b));
    return order != 0 ? order < 0 : number_at(a) < number_at(b);
  });
}

void DiskSorter::put_piece_aside() {
  sort_piece();
  const std::int64_t begin = spool_.end();
  for (const Entry& entry : entries_) spool_.add(disk_at(entry), number_at(entry));
  pieces_.push_back({begin, spool_.end()});
  piece_.clear();
  entries_.clear();
}

void DiskSorter::merge(
    const std::function<void(std::string_view disk, std::int64_t number)>& sink) {
  const std::size_t buffer =
      std::clamp(k_merge_bytes / pieces_.size(), k_least_buffer, DiskSpool::Reader::k_usual_buffer);
  std::vector<DiskSpool::Reader> readers;
  readers.reserve(pieces_.size());
  for (const Piece& piece : pieces_) readers.emplace_back(spool_, piece.begin, piece.end, buffer);
  // The heap's first is the reader with the lowest record.
  std::vector<DiskSpool::Reader*> heap;
  for (DiskSpool::Reader& reader : readers) {
    if (reader.next()) heap.push_back(&reader);
  }
  const auto comes_later = [](const DiskSpool::Reader* a, const DiskSpool::Reader* b) {
    const int order = a->disk().compare(b->disk());
    return order != 0 ? order > 0 : a->number() > b->number();
  };
  std::ranges::make_heap(heap, comes_later);
  while (!heap.empty()) {
    std::ranges::pop_heap(heap, comes_later);
    DiskSpool::Reader& lowest = *heap.back();
    sink(lowest.disk(), lowest.number());
    if (lowest.next()) {
      std::ranges::push_heap(heap, comes_later);
    } else {
      heap.pop_back();
    }
  }
}

}  // namespace diskrelease
