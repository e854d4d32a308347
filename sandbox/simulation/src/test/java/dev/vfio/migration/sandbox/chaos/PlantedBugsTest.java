package dev.vfio.migration.sandbox.chaos;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.util.logging.Level;
import java.util.logging.Logger;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/** The search finds what breaks the handover: each bug that is planted into a class of it. */
class PlantedBugsTest {
  private static final Logger ROOT = Logger.getLogger("");
  private static final Level BEFORE = ROOT.getLevel();

  /** What the operator's classes log of thousands of migrations, nobody reads. */
  @BeforeAll
  static void logNothing() {
    ROOT.setLevel(Level.OFF);
  }

  @AfterAll
  static void logAgain() {
    ROOT.setLevel(BEFORE);
  }

  @TestFactory
  Stream<DynamicTest> eachPlantedBugIsFoundWithinAThousandSchedules() throws IOException {
    return PlantedBug.all().stream()
        .map(
            bug ->
                DynamicTest.dynamicTest(
                    bug.name(),
                    () ->
                        assertThat(new PlantedSearch(bug).find(PlantedSearch.SCHEDULES))
                            .as("%s: %s", bug.name(), bug.does())
                            .isPresent()));
  }

  @Test
  void aTextThatIsNoLongerInTheCodeIsNamed() {
    PlantedBug rotten =
        new PlantedBug("rotten", Schedule.class.getName(), "nothing", "not there\n", "\n");

    assertThatThrownBy(rotten::edited)
        .hasMessageContaining("the planted bug rotten no longer fits: its text is 0 times in")
        .hasMessageContaining("planted/rotten.txt");
  }

  @Test
  void nothingIsFoundInCodeWithoutABug() throws IOException {
    String line = "record Schedule(long seed, Set<Integer> leftOut) {\n";

    assertThat(
            new PlantedSearch(
                    new PlantedBug("none", Schedule.class.getName(), "nothing", line, line))
                .find(10))
        .isEmpty();
  }
}
