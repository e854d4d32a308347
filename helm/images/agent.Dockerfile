# The node agent's image. Build from the repository's root, after the Maven build:
#   mvn -B -ntp -Dmaven.test.skip=true package
#   docker build -f helm/images/agent.Dockerfile -t vfio-migration-agent:0.1.0 node-agent/agent/target/quarkus-app
#
# A base with glibc: the native TLS and epoll libraries are linked against it.
FROM eclipse-temurin:17-jre

# Layers that change seldom come first.
COPY lib/ /app/lib/
COPY quarkus/ /app/quarkus/
COPY app/ /app/app/
COPY quarkus-run.jar /app/

# Root: see "What each privilege is for" in docs/install.md.
USER 0:0
EXPOSE 9443 9444 9000
ENTRYPOINT ["java", "-jar", "/app/quarkus-run.jar"]
