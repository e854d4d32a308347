package dev.vfio.migration.sandbox.cluster.chaos;

import dev.vfio.migration.sandbox.cluster.Repository;
import dev.vfio.migration.sandbox.cluster.options.CommandLineReader;
import dev.vfio.migration.sandbox.cluster.options.WrongOptionException;
import dev.vfio.migration.sandbox.cluster.rounds.Only;
import dev.vfio.migration.sandbox.cluster.rounds.OutcomeTable;
import dev.vfio.migration.sandbox.cluster.rounds.RoundPlan;
import dev.vfio.migration.sandbox.cluster.rounds.RoundPlans;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Locale;
import picocli.CommandLine.Option;

/**
 * Runs rounds of faults on real processes. Exit codes: 0 every round kept the rules, 1 one did not
 * or the cluster could not be used, 2 an option is wrong, 3 another run uses the same folder.
 */
public final class ProcessChaos {

  /** The command line as it was given. */
  static final class Options {
    @Option(names = "--processes")
    private boolean processes;

    @Option(names = "--rounds")
    private int rounds;

    @Option(names = "--skip")
    private int skip;

    @Option(names = "--seed")
    private long seed;

    @Option(names = "--only")
    private String only = "*/*/*";

    @Option(names = "--operators")
    private int operators = Operators.ONE.count();

    @Option(names = "--lease")
    private int lease = Operators.ONE.leaseSeconds();

    @Option(names = "--work")
    private Path work = Path.of(".bench", "chaos");
  }

  private ProcessChaos() {}

  static RoundPlans<Point, Part> plans(long seed, Only<Point, Part> only) {
    return new RoundPlans<>(List.of(Point.values()), List.of(Part.values()), seed, only);
  }

  public static void main(String[] arguments) throws IOException, InterruptedException {
    Locale.setDefault(Locale.ROOT);
    Options options;
    RoundPlans<Point, Part> plans;
    Operators operators;
    try {
      options = CommandLineReader.read(new Options(), arguments);
      if (options.rounds < 0 || options.skip < 0) {
        throw new WrongOptionException("--rounds and --skip take a number from 0");
      }
      plans = plans(options.seed, Only.parse(Point.values(), Part.values(), options.only));
      operators = Operators.checked(options.operators, options.lease);
    } catch (WrongOptionException e) {
      System.err.println(
          "chaos: "
              + e.getMessage()
              + "; nothing was started (sandbox/chaos --help lists the options)");
      System.exit(2);
      return;
    }
    Path root = Repository.find().root();
    Path work = Files.createDirectories(root.resolve(options.work));
    int exit;
    try (FileChannel lockFile =
            FileChannel.open(
                work.resolve("lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
        FileLock lock = lockFile.tryLock()) {
      if (lock == null) {
        System.err.println("chaos: another run uses " + work + "; nothing was started");
        System.exit(3);
      }
      int rounds =
          options.rounds == 0 ? Math.max(0, plans.systematic() - options.skip) : options.rounds;
      List<RoundPlan<Point, Part>> chosen = plans.after(options.skip, rounds);
      OutcomeTable<Point, Part> table =
          new Rounds(work, operators, System.out::println).run(chosen);
      System.out.println();
      System.out.print(table.markdown());
      table.pauses().ifPresent(System.out::println);
      System.out.println(table.result());
      exit = table.violations() == 0 ? 0 : 1;
    }
    System.exit(exit);
  }
}
