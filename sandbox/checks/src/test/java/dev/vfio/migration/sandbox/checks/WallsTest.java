package dev.vfio.migration.sandbox.checks;

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
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The walls between the rooms of the house: who may know whom. */
class WallsTest {
  private static final String ROOT = "dev.vfio.migration";
  private static final String OPERATOR = ROOT + ".operator..";
  private static final String VFIO = ROOT + ".vfio..";
  private static final String AGENT = ROOT + ".agent..";
  private static final String CONNECTIONS = ROOT + ".connections..";
  private static final String TEXT = ROOT + ".text..";
  private static final String CONTRACT = ROOT + ".contract..";
  private static final String SANDBOX = ROOT + ".sandbox..";
  private static final String GENERATORS = ROOT + ".sandbox.generators..";
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
  static void importEveryModule() {
    classes =
        new ClassFileImporter()
            .withImportOption(ImportOption.Predefined.DO_NOT_INCLUDE_TESTS)
            .importPackages(ROOT);
  }

  @Test
  void theOperatorKnowsKubernetesAndTheContractButNeitherVfioNorTheAgentsCode() {
    check(
        noClasses()
            .that()
            .resideInAPackage(OPERATOR)
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage(VFIO, AGENT, SANDBOX));
  }

  @Test
  void theAgentKnowsVfioAndTheContractButNotKubernetes() {
    check(
        noClasses()
            .that()
            .resideInAPackage(AGENT)
            .should()
            .dependOnClassesThat(resideInAnyPackage(KUBERNETES).or(resideInAPackage(OPERATOR))));
  }

  @Test
  void vfioIsAPlainLibrary() {
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
  void whatBoundsConnectionsKnowsNobody() {
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

  @Test
  void whatMakesForeignTextFitKnowsTheJdkAlone() {
    check(
        noClasses()
            .that()
            .resideInAPackage(TEXT)
            .should()
            .dependOnClassesThat(not(resideInAnyPackage("java..", TEXT))));
  }

  /** Whatever else puts something there has threads inherit it that are made meanwhile. */
  @Test
  void whatALogLineCarriesIsSaidInOnePlace() {
    check(
        noClasses()
            .that()
            .doNotHaveFullyQualifiedName(ROOT + ".connections.log.LoggedMigration")
            .should()
            .dependOnClassesThat(oneOf("org.jboss.logging.MDC", "org.slf4j.MDC")));
  }

  @Test
  void nothingButTheSandboxUsesTheSandbox() {
    check(
        noClasses()
            .that()
            .resideOutsideOfPackage(SANDBOX)
            .should()
            .dependOnClassesThat()
            .resideInAPackage(SANDBOX));
  }

  @Test
  void theGeneratorsForTestsKnowTheJdkAloneAndNoProgramUsesThem() {
    check(
        noClasses()
            .that()
            .resideInAPackage(GENERATORS)
            .should()
            .dependOnClassesThat(not(resideInAnyPackage("java..", GENERATORS))));
    check(
        noClasses()
            .that()
            .resideOutsideOfPackage(GENERATORS)
            .should()
            .dependOnClassesThat()
            .resideInAPackage(GENERATORS));
  }

  /**
   * Each room of the sandbox, and what else of our own it may know. The API server is not made for
   * our own objects; a simulated device reads the interface for itself, so that two readings can
   * catch each other; operator and agent are processes to the sandbox.
   */
  @ParameterizedTest
  @CsvSource({
    "apiserver, ''",
    "devices, ''",
    "cluster, apiserver devices",
    "demo, cluster",
    "benchmark, cluster",
    "lab, cluster",
    "checks, ''"
  })
  void aRoomOfTheSandboxKnowsOnlyWhatIsBelowIt(String room, String known) {
    String[] allowed =
        Stream.concat(Stream.of(room), Stream.of(known.split(" ")))
            .filter(name -> !name.isEmpty())
            .map(name -> ROOT + ".sandbox." + name + "..")
            .toArray(String[]::new);
    check(
        noClasses()
            .that()
            .resideInAPackage(ROOT + ".sandbox." + room + "..")
            .should()
            .dependOnClassesThat(
                resideInAPackage(ROOT + "..").and(not(resideInAnyPackage(allowed)))));
  }

  /** It drives the very classes of the agent, and nothing that starts a process. */
  @Test
  void theSimulationKnowsOperatorAgentAndVfioAndNoOtherRoomOfTheSandbox() {
    String chaos = ROOT + ".sandbox.chaos..";
    check(
        noClasses()
            .that()
            .resideInAPackage(chaos)
            .should()
            .dependOnClassesThat(
                resideInAPackage(ROOT + "..")
                    .and(not(resideInAnyPackage(chaos, AGENT, VFIO, OPERATOR, CONTRACT)))));
  }

  @Test
  void thePureMachinesTouchNoThreadNoSocketAndNoFile() {
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
  void thePureMachinesReadNoClock() {
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

  /** Whatever a transfer does is an action: what its machine calls knows no socket and no clock. */
  @Test
  void theTransferMachineKnowsOnlyItselfPlainJavaAndErrnos() {
    String machine = ROOT + ".vfio.transfer.machine..";
    DescribedPredicate<JavaClass> known =
        resideInAnyPackage(
                machine, "java.lang..", "java.util", "java.util.function", "java.util.stream")
            .or(oneOf("java.time.Duration", "java.io.IOException", ROOT + ".vfio.linux.Errno"))
            .or(describe("a primitive", JavaClass::isPrimitive));
    check(
        noClasses()
            .that()
            .resideInAPackage(machine)
            .should()
            .dependOnClassesThat(
                not(known)
                    .or(
                        oneOf(
                            "java.lang.Thread",
                            "java.lang.System",
                            "java.lang.System$Logger",
                            "java.lang.Process",
                            "java.lang.ProcessHandle"))));
  }

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
