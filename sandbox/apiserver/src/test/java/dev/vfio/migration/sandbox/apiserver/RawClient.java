package dev.vfio.migration.sandbox.apiserver;

import com.fasterxml.jackson.databind.JsonNode;
import dev.vfio.migration.sandbox.apiserver.json.Json;
import java.io.IOException;
import java.io.InputStream;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Optional;

/** Speaks plain HTTP to a server, to see what is really on the wire. */
final class RawClient {
  private static final Duration LIMIT = Duration.ofSeconds(60);

  private final HttpClient http =
      HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).connectTimeout(LIMIT).build();
  private final String url;

  RawClient(String url) {
    this.url = url;
  }

  /** An answer. */
  record Answer(int code, String body, HttpResponse<?> response) {
    JsonNode json() {
      return Json.parse(body);
    }

    String header(String name) {
      return response.headers().firstValue(name).orElse("");
    }
  }

  Answer get(String path, String... headers) throws IOException, InterruptedException {
    return send("GET", path, Optional.empty(), headers);
  }

  Answer post(String path, String json) throws IOException, InterruptedException {
    return send("POST", path, Optional.of(json), "Content-Type", "application/json");
  }

  Answer send(String method, String path, Optional<String> body, String... headers)
      throws IOException, InterruptedException {
    HttpRequest.Builder request =
        HttpRequest.newBuilder(URI.create(url + path))
            .timeout(LIMIT)
            .method(
                method,
                body.map(HttpRequest.BodyPublishers::ofString)
                    .orElseGet(HttpRequest.BodyPublishers::noBody));
    if (headers.length > 0) {
      request.headers(headers);
    }
    HttpResponse<String> response =
        http.send(request.build(), HttpResponse.BodyHandlers.ofString());
    return new Answer(response.statusCode(), response.body(), response);
  }

  /** Starts a watch; the stream ends when the server ends it. */
  WatchLines watch(String path, String... headers) throws IOException, InterruptedException {
    HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(url + path)).timeout(LIMIT);
    if (headers.length > 0) {
      request.headers(headers);
    }
    HttpResponse<InputStream> response =
        http.send(request.build(), HttpResponse.BodyHandlers.ofInputStream());
    return new WatchLines(response.body());
  }

  /**
   * Sends these very bytes and reads the head of the answer, and the body as far as its length is
   * given.
   */
  String exchange(String request) throws IOException {
    URI target = URI.create(url);
    try (Socket socket = new Socket(target.getHost(), target.getPort())) {
      socket.setSoTimeout((int) LIMIT.toMillis());
      socket.getOutputStream().write(request.getBytes(StandardCharsets.UTF_8));
      StringBuilder answer = new StringBuilder();
      InputStream in = socket.getInputStream();
      for (int b = in.read(); b >= 0; b = in.read()) {
        answer.append((char) b);
        int head = answer.indexOf("\r\n\r\n");
        if (head > 0 && answer.length() >= head + 4 + length(answer.substring(0, head))) {
          break;
        }
      }
      return answer.toString();
    }
  }

  /** Sends these very bytes and reads until the server closes the connection. */
  String exchangeAll(String requests) throws IOException {
    URI target = URI.create(url);
    try (Socket socket = new Socket(target.getHost(), target.getPort())) {
      socket.setSoTimeout((int) LIMIT.toMillis());
      socket.getOutputStream().write(requests.getBytes(StandardCharsets.UTF_8));
      return new String(socket.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    }
  }

  private static int length(String head) {
    return head.lines()
        .filter(line -> line.toLowerCase(java.util.Locale.ROOT).startsWith("content-length:"))
        .mapToInt(line -> Integer.parseInt(line.substring(line.indexOf(':') + 1).trim()))
        .findFirst()
        .orElse(0);
  }
}
