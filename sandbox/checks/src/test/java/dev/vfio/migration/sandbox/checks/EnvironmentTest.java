package dev.vfio.migration.sandbox.checks;

import static com.tngtech.archunit.base.DescribedPredicate.describe;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaCall;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.domain.JavaCodeUnit;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/**
 * What operator and agent may not leave to the environment of their process: how long they wait,
 * and a locale.
 */
class EnvironmentTest {
  private static final String ROOT = "dev.vfio.migration";

  /** Waits without a limit, where they are called without one. */
  private static final Map<String, Set<String>> ENDLESS =
      Map.ofEntries(
          Map.entry("java.util.concurrent.Future", Set.of("get()")),
          Map.entry("java.util.concurrent.CompletableFuture", Set.of("join()")),
          Map.entry("java.util.concurrent.CountDownLatch", Set.of("await()")),
          Map.entry("java.util.concurrent.CyclicBarrier", Set.of("await()")),
          Map.entry(
              "java.util.concurrent.locks.Condition", Set.of("await()", "awaitUninterruptibly()")),
          Map.entry(
              "java.util.concurrent.Semaphore",
              Set.of("acquire()", "acquire(int)", "acquireUninterruptibly()")),
          Map.entry(
              "java.util.concurrent.BlockingQueue", Set.of("take()", "put(java.lang.Object)")),
          Map.entry("java.lang.Thread", Set.of("join()")),
          Map.entry("java.lang.Process", Set.of("waitFor()")),
          Map.entry("java.lang.Object", Set.of("wait()")),
          Map.entry(
              "io.netty.util.concurrent.Future",
              Set.of(
                  "await()",
                  "sync()",
                  "awaitUninterruptibly()",
                  "syncUninterruptibly()",
                  "get()")));

  /** Methods that may, because the thread serves nothing else, and what ends the wait. */
  private static final Map<String, String> THREADS_OF_THEIR_OWN =
      Map.of(
          ROOT + ".agent.node.SessionWorker.await",
          "a stream's delivery thread waits for the session that it delivers to",
          ROOT + ".agent.stream.netty.SendRing.acquire",
          "the session's own thread; the connection's end or its silence ends it",
          ROOT + ".agent.stream.netty.DeliveryThread.run",
          "a stream's delivery thread; its connection stops it",
          ROOT + ".agent.stream.netty.Reception.start",
          "delivery threads of one reception wait for the first of them",
          ROOT + ".agent.stream.netty.Reception.ended",
          "a delivery thread waits for the reception's other streams; the reception's end ends it");

  /** Where each program begins, and names its locale before anything is formatted. */
  private static final Set<String> PROGRAMS =
      Set.of(ROOT + ".operator.OperatorMain.main", ROOT + ".agent.node.AgentMain.main");

  /**
   * What reads the process's locale, character set or time zone, where none is named. Formats are
   * not among them: each program names its locale first.
   */
  private static final Map<String, Set<String>> BY_DEFAULT =
      Map.ofEntries(
          Map.entry(
              "java.lang.String",
              Set.of(
                  "toLowerCase()",
                  "toUpperCase()",
                  "getBytes()",
                  "<init>([B)",
                  "<init>([B,int,int)")),
          Map.entry("java.io.InputStreamReader", Set.of("<init>(java.io.InputStream)")),
          Map.entry("java.io.OutputStreamWriter", Set.of("<init>(java.io.OutputStream)")),
          Map.entry(
              "java.io.FileReader", Set.of("<init>(java.lang.String)", "<init>(java.io.File)")),
          Map.entry(
              "java.io.FileWriter", Set.of("<init>(java.lang.String)", "<init>(java.io.File)")),
          Map.entry("java.io.PrintWriter", Set.of("<init>(java.io.OutputStream)")),
          Map.entry("java.io.ByteArrayOutputStream", Set.of("toString()")),
          Map.entry("java.util.Formatter", Set.of("<init>()")),
          Map.entry("java.util.Scanner", Set.of("<init>(java.io.InputStream)")),
          Map.entry("java.util.Locale", Set.of("getDefault()")),
          Map.entry("java.nio.charset.Charset", Set.of("defaultCharset()")),
          Map.entry("java.time.ZoneId", Set.of("systemDefault()")),
          Map.entry("java.text.SimpleDateFormat", Set.of("<init>(java.lang.String)")),
          Map.entry("java.text.NumberFormat", Set.of("getInstance()", "getNumberInstance()")),
          Map.entry("java.time.format.DateTimeFormatter", Set.of("ofPattern(java.lang.String)")));

  private static JavaClasses product;

  @BeforeAll
  static void readOperatorAndAgent() {
    product =
        new ClassFileImporter()
            .withImportOption(ImportOption.Predefined.DO_NOT_INCLUDE_TESTS)
            .importPackages(
                ROOT + ".operator",
                ROOT + ".agent",
                ROOT + ".vfio",
                ROOT + ".connections",
                ROOT + ".text");
  }

  private static String signature(JavaCall<?> call) {
    return call.getName()
        + call.getTarget().getRawParameterTypes().stream()
            .map(JavaClass::getName)
            .collect(Collectors.joining(",", "(", ")"));
  }

  private static boolean isOneOf(JavaCall<?> call, Map<String, Set<String>> methods) {
    return methods.entrySet().stream()
        .filter(entry -> entry.getValue().contains(signature(call)))
        .anyMatch(entry -> call.getTargetOwner().isAssignableTo(entry.getKey()));
  }

  private static String origin(JavaCodeUnit caller) {
    return caller.getOwner().getName() + "." + caller.getName();
  }

  @Test
  void nobodyWaitsWithoutALimitOnAThreadThatOthersNeed() {
    noClasses()
        .should()
        .callCodeUnitWhere(
            describe(
                "the target waits without a limit",
                (JavaCall<?> call) ->
                    isOneOf(call, ENDLESS)
                        && !THREADS_OF_THEIR_OWN.containsKey(origin(call.getOrigin()))))
        .allowEmptyShould(false)
        .check(product);
  }

  @Test
  void everyExcusedWaitStillExists() {
    List<String> waits =
        product.stream()
            .flatMap(owner -> owner.getMethodCallsFromSelf().stream())
            .filter(call -> isOneOf(call, ENDLESS))
            .map(call -> origin(call.getOrigin()))
            .toList();
    assertThat(waits).containsAll(THREADS_OF_THEIR_OWN.keySet());
  }

  @Test
  void nothingIsReadOrWrittenByTheProcessLocaleOrCharacterSet() {
    noClasses()
        .should()
        .callCodeUnitWhere(
            describe(
                "the target reads the process's locale, character set or time zone",
                (JavaCall<?> call) -> isOneOf(call, BY_DEFAULT)))
        .allowEmptyShould(false)
        .check(product);
  }

  @Test
  void everyProgramNamesItsLocaleFirst() {
    Set<String> naming =
        product.stream()
            .flatMap(owner -> owner.getMethodCallsFromSelf().stream())
            .filter(call -> call.getTargetOwner().isEquivalentTo(Locale.class))
            .filter(call -> call.getName().equals("setDefault"))
            .map(call -> origin(call.getOrigin()))
            .collect(Collectors.toSet());
    assertThat(naming).isEqualTo(PROGRAMS);
  }
}
