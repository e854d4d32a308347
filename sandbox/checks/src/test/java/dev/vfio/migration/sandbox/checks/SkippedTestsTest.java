package dev.vfio.migration.sandbox.checks;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a run of the tests says at its end of those that did not run. */
class SkippedTestsTest {
  private static final FileTime BEGIN = FileTime.from(Instant.parse("2030-01-01T00:00:00Z"));

  @TempDir Path repository;

  @BeforeEach
  void reports() throws IOException {
    report(
        "module/target/surefire-reports/TEST-a.b.OneTest.xml",
        """
        <testcase name="runs" classname="a.b.OneTest" time="0.1"/>
        <testcase name="assumes" classname="a.b.OneTest" time="0.1">
          <skipped type="org.opentest4j.TestAbortedException"><![CDATA[org.opentest4j.TestAbortedException: Assumption failed: skipped: there is no cc (on Debian: apt-get install gcc)
        	at org.junit.jupiter.api.Assumptions.throwAssumptionFailed(Assumptions.java:340)
        ]]></skipped>
        </testcase>
        <testcase name="asks" classname="a.b.OneTest"><skipped message="kubectl &amp; more"/></testcase>
        """);
    report(
        "other/deeper/target/surefire-reports/TEST-a.c.TwoTest.xml",
        """
        <testcase name="assumes" classname="a.c.TwoTest" time="0.1">
          <skipped type="T"><![CDATA[org.opentest4j.TestAbortedException: Assumption failed: skipped: there is no cc (on Debian: apt-get install gcc)]]></skipped>
        </testcase>
        """);
  }

  private Path report(String path, String cases) throws IOException {
    Path file = repository.resolve(path);
    Files.createDirectories(file.getParent());
    Files.writeString(file, "<testsuite>" + cases + "</testsuite>");
    return Files.setLastModifiedTime(file, BEGIN);
  }

  @Test
  void eachReasonIsToldOnceWithWhatItKeptFromRunning() throws Exception {
    assertThat(SkippedTests.of(repository, BEGIN))
        .containsExactly(
            "1 test of OneTest: kubectl & more",
            "2 tests of OneTest, TwoTest: there is no cc (on Debian: apt-get install gcc)");
  }

  @Test
  void reportsOfAnEarlierRunAreNotTold() throws Exception {
    assertThat(SkippedTests.of(repository, FileTime.fromMillis(BEGIN.toMillis() + 1))).isEmpty();
  }

  @Test
  void whatIsNoReportIsNotRead() throws Exception {
    Path text = report("module/target/surefire-reports/a.b.OneTest.txt", "");
    Files.writeString(text, "no XML");
    report(".lab/clone/target/surefire-reports/TEST-a.b.Hidden.xml", "no XML & none");

    assertThat(SkippedTests.of(repository, BEGIN)).hasSize(2);
  }
}
