package dev.vfio.migration.sandbox.checks;

import static com.tngtech.archunit.base.DescribedPredicate.describe;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.JavaCall;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/**
 * Nothing is decided by the time of day: it is another on each machine, and anybody may set it.
 * Durations count by a monotonic clock, a process is known by its number and its start. The classes
 * that read the time of day or take a recorded one are these, each with what it is for.
 */
class WallClockTest {
  private static final String ROOT = "dev.vfio.migration";

  private static final Set<String> READS =
      Set.of(
          "java.lang.System.currentTimeMillis",
          "java.time.Instant.now",
          "java.time.LocalDate.now",
          "java.time.LocalDateTime.now",
          "java.time.LocalTime.now",
          "java.time.OffsetDateTime.now",
          "java.time.ZonedDateTime.now",
          "java.time.Clock.systemUTC",
          "java.time.Clock.systemDefaultZone",
          "java.time.Clock.system",
          "java.util.Calendar.getInstance",
          "java.util.Date.<init>",
          "java.security.cert.X509Certificate.checkValidity",
          // Times that some clock left in a file or in a record.
          "java.nio.file.Files.getLastModifiedTime",
          "java.io.File.lastModified",
          "java.nio.file.attribute.BasicFileAttributes.lastModifiedTime",
          "java.nio.file.attribute.BasicFileAttributes.creationTime",
          "java.nio.file.attribute.BasicFileAttributes.lastAccessTime",
          "java.lang.ProcessHandle$Info.startInstant",
          "java.time.Instant.parse",
          "java.time.OffsetDateTime.parse",
          "java.time.ZonedDateTime.parse",
          "java.time.Instant.ofEpochSecond",
          "java.time.Instant.ofEpochMilli");

  private static final Map<String, String> ALLOWED =
      Map.of(
          "operator.OperatorParts", "hands the time of day to what tells people of it",
          "operator.SteadyClock", "where its instants begin; only their differences count",
          "operator.certificates.MakeCertificates", "from when and until when certificates hold",
          "operator.health.MigrationMetrics", "metrics of durations, for people",
          "agent.node.SystemClock", "the downtime over a restart of the agent, for people",
          "agent.node.AgentReadiness", "whether the certificate holds now",
          "agent.control.Inventory", "since when a device does not answer, for people");

  private static JavaClasses classes;

  @BeforeAll
  static void importAllButTheSandbox() {
    classes =
        new ClassFileImporter()
            .withImportOption(ImportOption.Predefined.DO_NOT_INCLUDE_TESTS)
            .withImportOption(location -> !location.contains("/sandbox/"))
            .importPackages(ROOT);
  }

  private static boolean isRead(JavaCall<?> call) {
    return READS.contains(call.getTargetOwner().getName() + "." + call.getName());
  }

  private static String shortName(JavaClass owner) {
    String name = owner.getName().substring(ROOT.length() + 1);
    return name.contains("$") ? name.substring(0, name.indexOf('$')) : name;
  }

  @Test
  void onlyWhatInformsPeopleOrHoldsCertificatesReadsTheTimeOfDay() {
    DescribedPredicate<JavaClass> others =
        describe(
            "are none of " + ALLOWED.keySet(),
            javaClass -> !ALLOWED.containsKey(shortName(javaClass)));
    noClasses()
        .that(others)
        .should()
        .callCodeUnitWhere(
            describe("the target is a time of day, now or recorded", WallClockTest::isRead))
        .allowEmptyShould(false)
        .check(classes);
  }

  /** A name that is not needed any more would let the next one in. */
  @Test
  void everyAllowedClassStillReadsIt() {
    assertThat(
            classes.stream()
                .filter(
                    javaClass ->
                        javaClass.getCodeUnits().stream()
                            .flatMap(unit -> unit.getCallsFromSelf().stream())
                            .anyMatch(WallClockTest::isRead))
                .map(WallClockTest::shortName)
                .distinct())
        .containsExactlyInAnyOrderElementsOf(ALLOWED.keySet());
  }
}
