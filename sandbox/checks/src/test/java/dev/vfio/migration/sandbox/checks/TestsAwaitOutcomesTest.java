package dev.vfio.migration.sandbox.checks;

import static com.tngtech.archunit.base.DescribedPredicate.describe;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.ArchConfiguration;
import com.tngtech.archunit.core.domain.JavaCall;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** A test waits for what it asserts, and not for some time that usually suffices. */
class TestsAwaitOutcomesTest {
  /** Seen from the folder of this module, where its tests run; all are built before it. */
  private static final List<Path> TESTS =
      List.of(
          Path.of("../../node-agent/connections/target/test-classes"),
          Path.of("../../node-agent/text/target/test-classes"),
          Path.of("../../node-agent/vfio/target/test-classes"),
          Path.of("../../node-agent/agent/target/test-classes"),
          Path.of("../../src/target/test-classes"),
          Path.of("../devices/target/test-classes"),
          Path.of("../apiserver/target/test-classes"),
          Path.of("../cluster/target/test-classes"),
          Path.of("../demo/target/test-classes"),
          Path.of("../benchmark/target/test-classes"),
          Path.of("../simulation/target/test-classes"),
          Path.of("../lab/scenarios/target/test-classes"),
          Path.of("target/test-classes"));

  private static final Set<String> SLEEPS =
      Set.of(
          "java.lang.Thread.sleep",
          "java.util.concurrent.TimeUnit.sleep",
          "java.util.concurrent.TimeUnit.timedJoin",
          "java.util.concurrent.locks.LockSupport.park",
          "java.util.concurrent.locks.LockSupport.parkNanos",
          "java.util.concurrent.locks.LockSupport.parkUntil");

  @Test
  void noTestSleeps() {
    assertThat(TESTS).as("the tests of every module").allMatch(Files::isDirectory);
    ArchConfiguration.withThreadLocalScope(
        configuration -> {
          // What a test calls stands in its own class file.
          configuration.setResolveMissingDependenciesFromClassPath(false);
          check(new ClassFileImporter().importPaths(TESTS));
        });
  }

  private static void check(JavaClasses tests) {
    noClasses()
        .should()
        .callCodeUnitWhere(
            describe(
                "the target sleeps",
                (JavaCall<?> call) ->
                    SLEEPS.contains(call.getTargetOwner().getName() + "." + call.getName())))
        .because("a test awaits the outcome itself, with a bound that a busy machine keeps")
        .check(tests);
  }
}
