package dev.vfio.migration.sandbox.apiserver;

import java.io.IOException;
import java.net.InetAddress;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * The API server as a process. It prints one line {@code READY http://...} when clients may
 * connect, and ends on SIGTERM.
 *
 * <p>Exit codes: 143 after SIGTERM, as for every JVM; 2 for wrong arguments; 1 if it could not
 * start.
 */
@Command(
    name = "apiserver",
    description = "A small Kubernetes API server on a loopback address.",
    sortOptions = false)
public final class ApiServerProcess implements Callable<Integer> {
  @Option(
      names = "--address",
      defaultValue = "127.0.0.1",
      description = "loopback address to listen on, by default ${DEFAULT-VALUE}")
  private InetAddress address;

  @Option(
      names = "--port",
      defaultValue = "0",
      description = "port to listen on; 0 takes any free one, as is the default")
  private int port;

  @Option(names = "--kubeconfig", description = "file to write when the server is ready")
  private Path kubeconfig;

  @Option(
      names = "--data-directory",
      description = "keeps objects over a restart; without it they live in memory")
  private Path dataDirectory;

  @Option(names = "--crds", description = "directory of CustomResourceDefinitions to create first")
  private Path definitions;

  /** Runs until SIGTERM. */
  public static void main(String[] arguments) {
    System.exit(new CommandLine(new ApiServerProcess()).execute(arguments));
  }

  @Override
  public Integer call() throws InterruptedException {
    try {
      ApiServerOptions options = ApiServerOptions.defaults().listeningOn(address, port);
      if (definitions != null) {
        options = options.withDefinitions(definitions);
      }
      if (dataDirectory != null) {
        options = options.withDataDirectory(dataDirectory);
      }
      run(new ApiServer(options));
      return 0;
    } catch (IOException | IllegalArgumentException e) {
      System.err.println("error: the API server did not start: " + e.getMessage());
      return 1;
    }
  }

  private void run(ApiServer server) throws IOException, InterruptedException {
    CountDownLatch stopped = new CountDownLatch(1);
    Runtime.getRuntime()
        .addShutdownHook(
            new Thread(
                () -> {
                  server.close();
                  stopped.countDown();
                },
                "apiserver-shutdown"));
    if (kubeconfig != null) {
      Kubeconfig.write(kubeconfig, server.url());
    }
    System.out.println("READY " + server.url());
    System.out.flush();
    stopped.await();
  }
}
