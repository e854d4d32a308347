package dev.vfio.migration.sandbox.cluster.walls;

import static com.tngtech.archunit.base.DescribedPredicate.describe;
import static com.tngtech.archunit.base.DescribedPredicate.not;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.JavaCall;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.lang.ArchRule;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashSet;
import java.util.Set;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** The walls between the rooms of the house: who may know whom. */
class WallsTest {
  private static final String ROOT = "dev.vfio.migration";
  private static final String OPERATOR = ROOT + ".operator..";
  private static final String VFIO = ROOT + ".vfio..";
  private static final String AGENT = ROOT + ".agent..";
  private static final String CONNECTIONS = ROOT + ".connections..";
  private static final String CONTRACT = ROOT + ".contract..";
  private static final String SANDBOX = ROOT + ".sandbox..";
  private static final String DEVICES = ROOT + ".sandbox.devices..";
  private static final String[] KUBERNETES = {
    "io.fabric8..", "io.javaoperatorsdk..", "io.quarkiverse.operatorsdk..", "io.kubernetes.."
  };

  private static final Set<String> CLOCKS =
      Set.of(
          "java.lang.System.nanoTime",
          "java.lang.System.currentTimeMillis",
          "java.time.Instant.now",
          "java.time.OffsetDateTime.now",
          "java.time.ZonedDateTime.now",
          "java.time.LocalDateTime.now",
          "java.time.Clock.systemUTC",
          "java.time.Clock.systemDefaultZone",
          "java.util.UUID.randomUUID",
          "java.lang.Math.random",
          "java.lang.Object.wait");

  private static JavaClasses classes;

  @BeforeAll
  static void read_every_room() {
    classes =
        new ClassFileImporter()
            .withImportOption(ImportOption.Predefined.DO_NOT_INCLUDE_TESTS)
            .importPackages(ROOT);
  }

  @Test
  void the_operator_knows_kubernetes_and_the_contract_but_neither_vfio_nor_the_agents_code() {
    check(
        noClasses()
            .that()
            .resideInAPackage(OPERATOR)
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage(VFIO, AGENT, SANDBOX));
  }

  @Test
  void the_agent_knows_vfio_and_the_contract_but_not_kubernetes() {
    check(
        noClasses()
            .that()
            .resideInAPackage(AGENT)
            .should()
            .dependOnClassesThat(resideInAnyPackage(KUBERNETES).or(resideInAPackage(OPERATOR))));
  }

  @Test
  void vfio_is_a_plain_library() {
    check(
        noClasses()
            .that()
            .resideInAPackage(VFIO)
            .should()
            .dependOnClassesThat(
                resideInAnyPackage(KUBERNETES)
                    .or(
                        resideInAnyPackage(
                            "io.quarkus..",
                            "io.smallrye..",
                            "jakarta..",
                            "io.grpc..",
                            "io.netty..",
                            "com.google.protobuf..",
                            AGENT,
                            OPERATOR,
                            CONTRACT,
                            SANDBOX))));
  }

  @Test
  void what_bounds_connections_knows_nobody() {
    check(
        noClasses()
            .that()
            .resideInAPackage(CONNECTIONS)
            .should()
            .dependOnClassesThat(
                resideInAnyPackage(KUBERNETES)
                    .or(
                        resideInAnyPackage(
                            "io.quarkus..",
                            "jakarta..",
                            VFIO,
                            AGENT,
                            OPERATOR,
                            CONTRACT,
                            SANDBOX))));
  }

  /** Whatever else puts something there has threads inherit it that are made meanwhile. */
  @Test
  void what_a_log_line_carries_is_said_in_one_place() {
    check(
        noClasses()
            .that()
            .doNotHaveFullyQualifiedName(ROOT + ".connections.log.LoggedMigration")
            .should()
            .dependOnClassesThat(oneOf("org.jboss.logging.MDC", "org.slf4j.MDC")));
  }

  @Test
  void nothing_but_the_sandbox_uses_the_sandbox() {
    check(
        noClasses()
            .that()
            .resideOutsideOfPackage(SANDBOX)
            .should()
            .dependOnClassesThat()
            .resideInAPackage(SANDBOX));
  }

  @Test
  void a_simulated_device_reads_the_interface_for_itself() {
    check(
        noClasses()
            .that()
            .resideInAPackage(DEVICES)
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage(VFIO, AGENT, OPERATOR, CONTRACT));
  }

  @Test
  void the_api_server_is_not_made_for_our_own_objects() {
    check(
        noClasses()
            .that()
            .resideInAPackage(ROOT + ".sandbox.apiserver..")
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage(OPERATOR, VFIO, AGENT, CONTRACT));
  }

  @Test
  void the_pure_machines_touch_no_thread_no_socket_and_no_file() {
    check(
        noClasses()
            .that(pure())
            .should()
            .dependOnClassesThat(
                resideInAnyPackage(
                        "java.net..",
                        "java.nio.channels..",
                        "java.nio.file..",
                        "java.util.concurrent..",
                        "io.netty..",
                        "io.quarkus..",
                        "jakarta..")
                    .and(not(oneOf("java.util.concurrent.TimeUnit", "java.nio.file.Path")))
                    .or(
                        oneOf(
                            "java.lang.Thread",
                            "java.lang.Process",
                            "java.lang.ProcessBuilder",
                            "java.io.File",
                            "java.io.FileInputStream",
                            "java.io.FileOutputStream",
                            "java.io.RandomAccessFile",
                            "java.util.Random",
                            "java.util.Timer"))));
  }

  @Test
  void the_pure_machines_read_no_clock() {
    check(
        noClasses()
            .that(pure())
            .should()
            .callCodeUnitWhere(
                describe(
                    "the target reads a clock, waits or throws dice",
                    (JavaCall<?> call) ->
                        CLOCKS.contains(call.getTargetOwner().getName() + "." + call.getName()))));
  }

  /** Values of the vfio library that the machines of the agent may know, and nothing else of it. */
  private static final String[] VALUES_OF_VFIO = {
    "Continuity",
    "DeviceDescription",
    "DeviceState",
    "DriverProfile",
    "Errno",
    "ForeignText",
    "MigrationFlag",
    "MigrationInterface",
    "PendingBytes",
    "ResetAdvice",
    "WorkloadState",
  };

  private static final String MACHINE = ROOT + ".agent.machine..";
  private static final String SESSION = ROOT + ".agent.session..";
  private static final String STREAM = ROOT + ".agent.stream..";
  private static final String JOURNAL = ROOT + ".agent.journal..";
  private static final String CONTROL = ROOT + ".agent.control..";
  private static final String NODE = ROOT + ".agent.node..";

  @Test
  void theMachinesOfTheAgentKnowOnlyThemselvesPlainJavaAndNamedValues() {
    DescribedPredicate<JavaClass> values =
        describe(
            "a value of vfio",
            javaClass ->
                javaClass.getPackageName().startsWith(ROOT)
                    && Set.of(VALUES_OF_VFIO).contains(javaClass.getSimpleName()));
    DescribedPredicate<JavaClass> plainJava =
        resideInAnyPackage(
            "java.lang..",
            "java.util",
            "java.util.function",
            "java.util.stream",
            "java.math",
            "java.time");
    check(
        noClasses()
            .that()
            .resideInAPackage(MACHINE)
            .should()
            .dependOnClassesThat(
                not(resideInAPackage(MACHINE).or(plainJava).or(values))
                    .and(describe("no primitive", type -> !type.isPrimitive()))
                    .or(
                        oneOf(
                            "java.lang.Thread",
                            "java.lang.Process",
                            "java.lang.ProcessBuilder",
                            "java.lang.Runtime",
                            "java.util.Random",
                            "java.util.Timer"))));
  }

  @Test
  void whatPerformsTheMachinesKnowsPortsAndNotWhatImplementsThem() {
    check(
        noClasses()
            .that()
            .resideInAPackage(SESSION)
            .should()
            .dependOnClassesThat(
                resideInAnyPackage(
                    ROOT + ".agent.stream.netty..",
                    ROOT + ".agent.journal.file..",
                    CONTROL,
                    NODE,
                    CONTRACT,
                    "io.netty..",
                    "io.grpc..",
                    "jakarta..",
                    "org.jboss.logging..")));
  }

  @Test
  void theStreamAndTheJournalKnowNothingOfSessions() {
    check(
        noClasses()
            .that()
            .resideInAnyPackage(STREAM, JOURNAL)
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage(SESSION, CONTROL, NODE, CONTRACT));
    check(
        noClasses()
            .that()
            .resideInAPackage(STREAM)
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage(MACHINE, JOURNAL));
  }

  /**
   * The machines of the agent, the operator's decisions, and whatever of our own they call on their
   * way. The generated contract is data.
   */
  private static DescribedPredicate<JavaClass> pure() {
    Set<JavaClass> reached = new HashSet<>();
    Deque<JavaClass> open = new ArrayDeque<>();
    classes.stream()
        .filter(
            candidate ->
                candidate.getPackageName().startsWith(ROOT + ".operator.decision")
                    || candidate.getPackageName().startsWith(ROOT + ".operator.convergence")
                    || candidate.getPackageName().startsWith(ROOT + ".agent.machine"))
        .forEach(open::add);
    assertThat(open)
        .extracting(JavaClass::getSimpleName)
        .contains("SourceMachine", "DestinationMachine", "Decisions");
    while (!open.isEmpty()) {
      JavaClass next = open.remove();
      if (reached.add(next)) {
        next.getDirectDependenciesFromSelf().stream()
            .map(dependency -> dependency.getTargetClass().getBaseComponentType())
            .filter(target -> target.getPackageName().startsWith(ROOT))
            .filter(target -> !target.getPackageName().startsWith(ROOT + ".contract"))
            .forEach(open::add);
      }
    }
    return describe("are machines, decisions or what those call", reached::contains);
  }

  /** A rule about classes that are not there proves nothing: then the check fails. */
  private static void check(ArchRule rule) {
    rule.allowEmptyShould(false).check(classes);
  }

  private static DescribedPredicate<JavaClass> oneOf(String... names) {
    Set<String> wanted = Set.of(names);
    return describe("one of " + wanted, javaClass -> wanted.contains(javaClass.getName()));
  }
}
