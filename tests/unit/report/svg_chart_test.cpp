#include "report/svg_chart.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>
#include <sstream>

namespace diskrelease {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

ColumnChart chart_of(const std::vector<std::int64_t>& values) {
  ColumnChart chart;
  chart.id = 7;
  chart.title = "A <title>";
  chart.description = "what \"it\" shows";
  chart.series = {{"accepted", "calls"}};
  for (const std::int64_t value : values) chart.columns.push_back({"label", {value}});
  return chart;
}

std::string drawn(const ColumnChart& chart) {
  std::ostringstream out;
  Html page(out);
  write_column_chart(page, chart);
  return out.str();
}

std::vector<double> attributes(const std::string& svg, const std::string& pattern) {
  std::vector<double> found;
  const std::regex expression(pattern);
  for (std::sregex_iterator at(svg.begin(), svg.end(), expression), end; at != end; ++at) {
    found.push_back(std::stod((*at)[1]));
  }
  return found;
}

TEST(ColumnChartTest, IsAnImageWithTitleAndDescription) {
  const std::string svg = drawn(chart_of({1}));
  EXPECT_THAT(svg, HasSubstr("role=\"img\""));
  EXPECT_THAT(svg, HasSubstr("aria-labelledby=\"chart-title-7 chart-text-7\""));
  EXPECT_THAT(svg, HasSubstr("<title id=\"chart-title-7\">A &lt;title&gt;</title>"));
  EXPECT_THAT(svg, HasSubstr("<desc id=\"chart-text-7\">what &quot;it&quot; shows</desc>"));
}

TEST(ColumnChartTest, HeightsAreInProportionAndWithinThePicture) {
  const std::string svg = drawn(chart_of({10, 0, 5}));
  const std::vector<double> heights = attributes(svg, "<rect[^>]* height=\"([0-9.]+)\"");
  ASSERT_EQ(heights.size(), 2u);
  EXPECT_NEAR(heights[0], 2 * heights[1], 0.02);
  for (const double y : attributes(svg, "<rect[^>]* y=\"([-0-9.]+)\"")) EXPECT_GE(y, 0);
}

TEST(ColumnChartTest, NoValueAndNoColumnMakeAnEmptyPicture) {
  EXPECT_THAT(drawn(chart_of({})), Not(HasSubstr("<rect")));
  EXPECT_THAT(drawn(chart_of({0, 0})), Not(HasSubstr("<rect")));
  EXPECT_THAT(drawn(chart_of({})), Not(HasSubstr("nan")));
}

TEST(ColumnChartTest, ALimitIsDrawnWhileItLeavesTheColumnsInSight) {
  ColumnChart chart = chart_of({10});
  chart.limit_label = "allowed";
  chart.limit = 30;
  EXPECT_THAT(drawn(chart), HasSubstr("class=\"limit\""));
  EXPECT_THAT(drawn(chart), HasSubstr("allowed"));
  chart.limit = 30.1;
  EXPECT_THAT(drawn(chart), Not(HasSubstr("class=\"limit\"")));
}

TEST(ColumnChartTest, LabelsKeepApart) {
  ColumnChart chart = chart_of(std::vector<std::int64_t>(60, 1));
  for (ColumnChart::Column& column : chart.columns) column.label = "12:34:56";
  std::string svg = drawn(chart);
  svg.erase(0, svg.find("<svg"));
  const std::vector<double> places =
      attributes(svg, "<text text-anchor=\"middle\" x=\"([0-9.]+)\"[^>]*>12:34:56");
  ASSERT_GT(places.size(), 5u);
  for (std::size_t i = 1; i < places.size(); ++i) EXPECT_GT(places[i] - places[i - 1], 56);
}

TEST(ShareBarTest, PartsFillTheWidthAndSmallOnesAreSeen) {
  ShareBar bar;
  bar.parts = {{"released", "released", 999'999}, {"unknown", "unknown", 1}, {"idle", "idle", 0}};
  std::ostringstream out;
  Html page(out);
  write_share_bar(page, bar);
  const std::vector<double> widths = attributes(out.str(), "<rect[^>]* width=\"([0-9.]+)\"");
  ASSERT_EQ(widths.size(), 2u);
  EXPECT_NEAR(widths[0], 960, 0.1);
  EXPECT_GE(widths[1], 1);
}

}  // namespace
}  // namespace diskrelease
